--- Ghost text, next edits and edits by instruction from lintseq-lsp.
---
--- Here: options, keys, and what the other modules share. Ghost text itself is Neovim's.
local api = vim.api

local M = {}

---@class lintseq.Options
M.options = {
  --- Settings of the server, without the prefix `lintseq.`: `{ maxLines = 4 }`.
  settings = {},
  --- Suggest edits away from the cursor.
  next_edit = true,
  --- Milliseconds without a change after which a next edit is asked for: in normal and in insert mode.
  debounce = { normal = 100, insert = 500 },
  --- Keys, `false` for none. `accept` is for insert and normal mode, `reject` for normal mode, the others
  --- for insert mode. Each does what it did before when nothing is shown.
  keys = {
    accept = '<Tab>',
    reject = '<Esc>',
    accept_word = '<M-Right>',
    accept_line = '<M-Down>',
    next_candidate = '<M-]>',
    previous_candidate = '<M-[>',
  },
}

local group = api.nvim_create_augroup('lintseq', {})
local statuses = {} ---@type table<integer, table>
local restarting = {} ---@type table<integer, boolean>
local asked = {} ---@type table<integer, table> requests for ghost text that are under way, by id
local shown = {} ---@type table<integer, table> by buffer: the line for which the ghost text was made
local has_all = {} ---@type table<integer, integer> by buffer: the `changedtick` for which all candidates are known

--- Ghost text as Neovim draws it is new in 0.12.
M.has_ghost_text = vim.lsp.inline_completion ~= nil

--- The server that looks after a buffer.
---@param buf? integer
---@return vim.lsp.Client?
function M.client(buf)
  return vim.lsp.get_clients({ bufnr = buf or api.nvim_get_current_buf(), name = 'lintseq' })[1]
end

---@param options? table see `M.options`
function M.setup(options)
  M.options = vim.tbl_deep_extend('force', M.options, options or {})
  if next(M.options.settings) then
    vim.lsp.config('lintseq', { settings = { lintseq = M.options.settings } })
  end
  for name, link in pairs({ Add = 'DiffAdd', Delete = 'DiffDelete', Hint = 'NonText' }) do
    api.nvim_set_hl(0, 'Lintseq' .. name, { link = link, default = true })
  end
  api.nvim_create_autocmd('LspAttach', {
    group = group,
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == 'lintseq' then
        M._attach(client, event.buf)
      end
    end,
  })
  api.nvim_create_autocmd('LspDetach', {
    group = group,
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == 'lintseq' then
        M._detach(event.buf)
      end
    end,
  })
  api.nvim_create_autocmd('LspRequest', { group = group, callback = M._on_request })
  vim.lsp.enable('lintseq')
end

--- One word for a status line: empty when the server is ready, and nothing is to be said.
---@return string
function M.status()
  local client = M.client()
  local status = client and statuses[client.id] or {}
  local place = require('lintseq.next_edit').place()
  if place then
    return ('⇥ line %d'):format(place)
  end
  if status.kind == 'Warning' or status.kind == 'Error' then
    return 'LintSeq: ' .. status.message
  end
  return status.busy and '…' or ''
end

---@param client_id integer
---@param status table what the server says in `didChangeStatus`
function M.on_status(client_id, status)
  statuses[client_id] = status
  vim.cmd.redrawstatus()
end

--- Suggestions off, or on again. The server keeps running.
function M.toggle()
  local enabled = M.options.settings.enabled == false
  M.options.settings.enabled = enabled
  local settings = { lintseq = M.options.settings }
  vim.lsp.config('lintseq', { settings = settings })
  for _, client in ipairs(vim.lsp.get_clients({ name = 'lintseq' })) do
    client.settings = vim.tbl_deep_extend('force', client.settings, settings)
    client:notify('workspace/didChangeConfiguration', { settings = client.settings })
  end
  if not enabled then
    require('lintseq.next_edit').clear()
  end
  vim.notify('LintSeq is ' .. (enabled and 'on' or 'off'))
end

--- Ends the server, and starts a new one for the same buffers. Also after it has crashed.
function M.restart()
  local clients = vim.lsp.get_clients({ name = 'lintseq' })
  for _, client in ipairs(clients) do
    restarting[client.id] = true
    client:stop(2000)
  end
  if #clients == 0 then
    vim.lsp.enable('lintseq')
  end
end

---@param client_id integer a server that has ended
function M.on_exit(client_id)
  statuses[client_id] = nil
  if restarting[client_id] then
    restarting[client_id] = nil
    -- Scheduled twice: Neovim still has to forget the old client. Then every loaded buffer that wants a
    -- server and has none gets one.
    vim.schedule(vim.schedule_wrap(function()
      vim.lsp.enable('lintseq')
    end))
  end
end

--- Takes what is shown: ghost text at the cursor, else the next edit, to which it jumps first.
---@return boolean taken false when nothing was shown
function M.accept()
  if M._accept_ghost() then
    return true
  end
  return require('lintseq.next_edit').advance()
end

--- Takes a beginning of the ghost text; the rest stays.
---@return boolean taken
function M.accept_word()
  return M._accept_ghost('^%s*[%w_]+')
end

---@return boolean taken
function M.accept_line()
  return M._accept_ghost('^\n?[^\n]*')
end

--- Shows another suggestion in place of the ghost text. Neovim only ever asks for what comes by itself,
--- which is one; the others are asked for here. The server then has them for Neovim, too.
---@param count integer how many further, or back
---@return boolean done false when nothing was shown
function M.cycle(count)
  local buf, client = api.nvim_get_current_buf(), M.client()
  if not client or not M.has_ghost_text or not M.is_ghost_shown(buf) then
    return false
  end
  local tick = api.nvim_buf_get_changedtick(buf)
  if has_all[buf] == tick then
    vim.schedule(function()
      vim.lsp.inline_completion.select({ count = count })
    end)
    return true
  end
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = 1 }
  vim.schedule(function()
    client:request('textDocument/inlineCompletion', params, function(error)
      if error or api.nvim_buf_get_changedtick(buf) ~= tick then
        return
      end
      has_all[buf] = tick
      api.nvim_create_autocmd('LspRequest', {
        group = api.nvim_create_augroup('lintseq.cycle', {}),
        buffer = buf,
        callback = function(event)
          local request = event.data.request
          if request.type ~= 'complete' or request.method ~= 'textDocument/inlineCompletion' then
            return false
          end
          -- Scheduled: the answer is taken behind this event.
          vim.schedule(function()
            if has_all[buf] == api.nvim_buf_get_changedtick(buf) then
              vim.lsp.inline_completion.select({ count = count })
            end
          end)
          return true
        end,
      })
      M._ask_again(buf)
    end, buf)
  end)
  return true
end

--- Whether ghost text can be seen in a buffer.
---@param buf integer
---@return boolean
function M.is_ghost_shown(buf)
  local namespace = api.nvim_get_namespaces()['nvim.lsp.inline_completion']
  return namespace ~= nil and #api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { limit = 1 }) > 0
end

---@param pattern? string what of the ghost text to take: the first match
---@return boolean
function M._accept_ghost(pattern)
  if not M.has_ghost_text or not M.is_ghost_shown(0) then
    return false
  end
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local current = M._typed_along(item)
      if not current then
        M._ask_again(api.nvim_get_current_buf())
        return nil
      end
      if not pattern then
        return current
      end
      local _, last = current.insert_text:find(pattern)
      if last and last < #current.insert_text then
        -- What is right of the cursor stays until the last piece is taken, and so does the command.
        current.range.end_col = current.range.start_col
        current.insert_text = current.insert_text:sub(1, last)
        current.command = nil
      end
      return current
    end,
  })
end

--- Ghost text stays on the screen until the next answer comes, also when something was typed meanwhile.
--- Neovim would insert it as it was: what of it stands there already would then be there twice.
---@return table? item with what is left of it, nil when something else was typed
function M._typed_along(item)
  local was = shown[api.nvim_get_current_buf()]
  local row, start_col, _, end_col = item.range:to_extmark()
  local cursor = api.nvim_win_get_cursor(0)
  local line = api.nvim_get_current_line()
  if not was or cursor[1] - 1 ~= row or was.row ~= row or cursor[2] < start_col then
    return nil
  end
  local typed = line:sub(start_col + 1, cursor[2])
  local as_was = line == was.line:sub(1, start_col) .. typed .. was.line:sub(start_col + 1)
  if not as_was or was.lines ~= api.nvim_buf_line_count(0) or not vim.startswith(item.insert_text, typed) then
    return nil
  end
  item = vim.deepcopy(item)
  item.insert_text = item.insert_text:sub(#typed + 1)
  item.range = vim.range(item.range.buf, row, cursor[2], row, end_col + #typed)
  return item
end

--- As if the cursor had moved: Neovim asks again.
---@param buf integer
function M._ask_again(buf)
  api.nvim_exec_autocmds('CursorMovedI', { group = 'nvim.lsp.inline_completion:' .. buf, buffer = buf })
end

--- Remembers for which line ghost text was asked, and then shown.
function M._on_request(event)
  local request, id = event.data.request, event.data.request_id
  if request.method ~= 'textDocument/inlineCompletion' then
    return
  end
  if request.type == 'pending' then
    local row = api.nvim_win_get_cursor(0)[1] - 1
    local line = api.nvim_buf_get_lines(request.bufnr, row, row + 1, false)[1]
    asked[id] = { row = row, line = line or '', lines = api.nvim_buf_line_count(request.bufnr) }
  elseif request.type == 'complete' then
    shown[request.bufnr], asked[id] = asked[id], nil
  end
end

---@param client vim.lsp.Client
---@param buf integer
function M._attach(client, buf)
  if M.has_ghost_text then
    -- For the buffer, not for the client: Neovim would forget to take a client out that has ended.
    vim.lsp.inline_completion.enable(true, { bufnr = buf })
  end
  if M.options.next_edit then
    require('lintseq.next_edit').attach(buf)
  end
  local keys = require('lintseq.keys')
  keys.map(buf, { 'i', 'n' }, M.options.keys.accept, M.accept, 'Accept what LintSeq shows')
  keys.map(buf, 'n', M.options.keys.reject, function()
    return require('lintseq.next_edit').reject()
  end, 'Reject what LintSeq shows')
  if M.has_ghost_text then
    keys.map(buf, 'i', M.options.keys.accept_word, M.accept_word, 'Accept a word of the ghost text')
    keys.map(buf, 'i', M.options.keys.accept_line, M.accept_line, 'Accept a line of the ghost text')
    keys.map(buf, 'i', M.options.keys.next_candidate, function()
      return M.cycle(1)
    end, 'Next ghost text')
    keys.map(buf, 'i', M.options.keys.previous_candidate, function()
      return M.cycle(-1)
    end, 'Previous ghost text')
  end
end

---@param buf integer
function M._detach(buf)
  shown[buf], has_all[buf] = nil, nil
  require('lintseq.next_edit').detach(buf)
  require('lintseq.keys').unmap(buf)
end

return M
