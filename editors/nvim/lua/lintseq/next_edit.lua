--- Next edits: asked for when typing pauses, drawn in place, taken with one key.
---
--- Only the first edit of an answer is drawn. The server knows the rest: when the first was taken, the
--- next one is there without the model.
local api = vim.api

local M = {}

local namespace = api.nvim_create_namespace('lintseq.next_edit')

---@class lintseq.NextEdit
---@field edit table the server's edit
---@field client_id integer
---@field tick integer the buffer's `changedtick`, of which the edit's positions are
---@field row integer where it is drawn, from 0
---@field hint? integer extmark

local edits = {} ---@type table<integer, lintseq.NextEdit>
local timers = {} ---@type table<integer, uv.uv_timer_t>
local pending = {} ---@type table<integer, table>

--- Called with the buffer when its next edit is drawn or cleared. For tests and status lines.
---@type fun(buf: integer)
M.on_change = function() end

---@param buf integer
function M.attach(buf)
  local group = api.nvim_create_augroup('lintseq.next_edit.' .. buf, {})
  local function on(events, action)
    api.nvim_create_autocmd(events, { group = group, buffer = buf, callback = action })
  end
  on({ 'TextChanged', 'TextChangedI', 'InsertLeave', 'BufEnter' }, function()
    M.request(buf)
  end)
  on({ 'CursorMoved', 'CursorMovedI', 'WinScrolled' }, function()
    M._hint(buf)
  end)
  on({ 'BufLeave', 'InsertEnter' }, function()
    M.clear(buf)
  end)
  M.request(buf)
end

---@param buf integer
function M.detach(buf)
  M.clear(buf)
  pcall(api.nvim_del_augroup_by_name, 'lintseq.next_edit.' .. buf)
end

--- Asks for the next edit when the buffer has been quiet for a while, or now.
---@param buf integer
---@param options? { now?: boolean, manual?: boolean } of `manual`: the user wants it, however unsure the model is
function M.request(buf, options)
  if edits[buf] and edits[buf].tick ~= api.nvim_buf_get_changedtick(buf) then
    M.clear(buf)
  end
  M._stop(buf)
  local is_inserting = vim.startswith(api.nvim_get_mode().mode, 'i')
  local debounce = require('lintseq').options.debounce
  timers[buf] = vim.defer_fn(function()
    timers[buf] = nil
    M._ask(buf, options and options.manual)
  end, options and options.now and 0 or is_inserting and debounce.insert or debounce.normal)
end

---@param buf integer
---@param manual? boolean
function M._ask(buf, manual)
  local lintseq = require('lintseq')
  local client = lintseq.client(buf)
  if not client or buf ~= api.nvim_get_current_buf() or vim.bo[buf].buftype ~= '' or not vim.bo[buf].modifiable then
    return
  end
  local tick = api.nvim_buf_get_changedtick(buf)
  if lintseq.is_ghost_shown(buf) or (edits[buf] and edits[buf].tick == tick) then
    return
  end
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.textDocument.version = vim.lsp.util.buf_versions[buf]
  params.context = { triggerKind = manual and 1 or 2 }
  local asked, id
  asked, id = client:request('textDocument/copilotInlineEdit', params, function(error, result)
    if not pending[buf] or pending[buf].id ~= id then
      return -- a newer one is under way
    end
    pending[buf] = nil
    if not error and result then
      M._show(buf, client, tick, result.edits or {})
      if manual and not edits[buf] then
        require('lintseq.explain').show()
      end
    end
  end, buf)
  pending[buf] = asked and { client = client, id = id } or nil
end

---@param buf integer
---@param client vim.lsp.Client
---@param tick integer
---@param answer table[]
function M._show(buf, client, tick, answer)
  if not api.nvim_buf_is_valid(buf) or tick ~= api.nvim_buf_get_changedtick(buf) then
    return
  end
  M.clear(buf)
  local edit = answer[1]
  if not edit or require('lintseq').is_ghost_shown(buf) then
    return M.on_change(buf)
  end
  edits[buf] = { edit = edit, client_id = client.id, tick = tick, row = M._draw(buf, client, edit) }
  M._hint(buf)
  M.on_change(buf)
end

--- What goes is struck through, what comes is shown below or beside it.
---@param buf integer
---@param client vim.lsp.Client
---@param edit table
---@return integer row
function M._draw(buf, client, edit)
  local first, last = edit.range.start, edit.range['end']
  local count = api.nvim_buf_line_count(buf)
  local text = vim.split(edit.text, '\n')
  local sign = { sign_text = '»', sign_hl_group = 'LintseqHint' }
  local function mark(row, col, options)
    api.nvim_buf_set_extmark(buf, namespace, row, col, vim.tbl_extend('force', sign, options))
    sign = {}
  end
  local function below(lines)
    return vim.tbl_map(function(line)
      return { { line == '' and ' ' or line, 'LintseqAdd' } }
    end, lines)
  end

  if first.line >= count then -- behind the last line end
    mark(count - 1, 0, { virt_lines = below(text[#text] == '' and vim.list_slice(text, 1, #text - 1) or text) })
    return count - 1
  end
  local start_line = api.nvim_buf_get_lines(buf, first.line, first.line + 1, true)[1]
  local start_col = vim.str_byteindex(start_line, client.offset_encoding, first.character, false)
  local is_insertion = first.line == last.line and first.character == last.character
  if is_insertion and #text == 1 then
    mark(first.line, start_col, { virt_text = { { edit.text, 'LintseqAdd' } }, virt_text_pos = 'inline' })
    return first.line
  end
  if is_insertion and start_col == 0 and text[#text] == '' then
    mark(first.line, 0, { virt_lines = below(vim.list_slice(text, 1, #text - 1)), virt_lines_above = true })
    if first.line == 0 then
      M._show_above(buf, #text - 1)
    end
    return first.line
  end
  if is_insertion and start_col == #start_line and text[1] == '' then
    mark(first.line, 0, { virt_lines = below(vim.list_slice(text, 2)) })
    return first.line
  end
  -- The lines that change go, and come again as they will be.
  local end_row = math.min(last.line, count - 1)
  local end_line = api.nvim_buf_get_lines(buf, end_row, end_row + 1, true)[1]
  local end_col = last.line < count
      and vim.str_byteindex(end_line, client.offset_encoding, last.character, false)
    or #end_line
  text[1] = start_line:sub(1, start_col) .. text[1]
  text[#text] = text[#text] .. (last.line < count and end_line:sub(end_col + 1) or '')
  if end_col == 0 and end_row > first.line and start_col == 0 and text[#text] == end_line then
    -- Whole lines: the one below them stays as it is.
    table.remove(text)
    end_row = end_row - 1
    end_line = api.nvim_buf_get_lines(buf, end_row, end_row + 1, true)[1]
  end
  mark(first.line, 0, {
    end_row = end_row,
    end_col = #end_line,
    hl_group = 'LintseqDelete',
    virt_lines = end_row == first.line and below(text) or nil,
  })
  if end_row ~= first.line then
    mark(end_row, 0, { virt_lines = below(text) })
  end
  return first.line
end

--- Neovim does not show by itself what is drawn above the first line.
---@param buf integer
---@param count integer lines
function M._show_above(buf, count)
  for _, window in ipairs(vim.fn.win_findbuf(buf)) do
    api.nvim_win_call(window, function()
      if vim.fn.line('w0') == 1 then
        vim.fn.winrestview({ topline = 1, topfill = count })
      end
    end)
  end
end

--- Says at the window's edge where the edit is, while it is out of sight.
---@param buf integer
function M._hint(buf)
  local state = edits[buf]
  if not state or buf ~= api.nvim_get_current_buf() then
    return
  end
  if state.hint then
    api.nvim_buf_del_extmark(buf, namespace, state.hint)
    state.hint = nil
  end
  local line = state.row + 1
  if line < vim.fn.line('w0') or line > vim.fn.line('w$') then
    state.hint = api.nvim_buf_set_extmark(buf, namespace, api.nvim_win_get_cursor(0)[1] - 1, 0, {
      virt_text = { { ('⇥ line %d'):format(line), 'LintseqHint' } },
      virt_text_pos = 'right_align',
    })
  end
end

--- Jumps to the edit that is shown; when the cursor is there already, accepts it.
---@return boolean taken false when none is shown
function M.advance()
  local buf = api.nvim_get_current_buf()
  local state = M._current(buf)
  if not state then
    return false
  end
  vim.schedule(function()
    if M._current(buf) ~= state or buf ~= api.nvim_get_current_buf() then
      return
    end
    if api.nvim_win_get_cursor(0)[1] - 1 ~= state.row then
      vim.cmd("normal! m'")
      local line = api.nvim_buf_get_lines(buf, state.row, state.row + 1, true)[1]
      local is_far = state.hint ~= nil
      api.nvim_win_set_cursor(0, { state.row + 1, #line:match('^%s*') })
      if is_far then
        vim.cmd('normal! zz') -- what is drawn below the line is to be seen, too
      end
      M._hint(buf)
    else
      M._apply(buf, state)
    end
  end)
  return true
end

---@param buf integer
---@param state lintseq.NextEdit
function M._apply(buf, state)
  local client, edit = vim.lsp.get_client_by_id(state.client_id), state.edit
  M.clear(buf)
  if not client then
    return
  end
  M.undo_break()
  M.apply({ { range = edit.range, newText = edit.text } }, buf, client.offset_encoding)
  M.undo_break()
  -- To the end of what came.
  local text = vim.split(edit.text:gsub('\n$', ''), '\n')
  local row = math.min(edit.range.start.line + #text, api.nvim_buf_line_count(buf)) - 1
  local line = api.nvim_buf_get_lines(buf, row, row + 1, true)[1]
  local _, found = line:find(text[#text], 1, true)
  api.nvim_win_set_cursor(0, { row + 1, found or #line })
  if edit.command then
    client:exec_cmd(edit.command, { bufnr = buf })
  end
  M.request(buf, { now = true })
end

--- Text edits as the server means them. Neovim 0.11 leaves an empty line behind lines that are inserted
--- below the last one: they are inserted at its end instead.
---@param edits table[]
---@param buf integer
---@param encoding string
function M.apply(edits, buf, encoding)
  local count = api.nvim_buf_line_count(buf)
  local last = api.nvim_buf_get_lines(buf, count - 1, count, true)[1]
  local place = { line = count - 1, character = vim.str_utfindex(last, encoding) }
  edits = vim.tbl_map(function(edit)
    if edit.range.start.line < count or not vim.endswith(edit.newText, '\n') then
      return vim.deepcopy(edit)
    end
    return { range = { start = place, ['end'] = place }, newText = '\n' .. edit.newText:sub(1, -2) }
  end, edits)
  vim.lsp.util.apply_text_edits(edits, buf, encoding)
end

--- What follows is undone by itself.
function M.undo_break()
  vim.go.undolevels = vim.go.undolevels
end

--- Takes the edit that is shown off the screen. The server does not offer it again.
---@return boolean done false when none was shown
function M.reject()
  local buf = api.nvim_get_current_buf()
  local state = M._current(buf)
  if not state then
    return false
  end
  local client = vim.lsp.get_client_by_id(state.client_id)
  if client then
    client:notify('lintseq/didReject', { item = state.edit })
  end
  vim.schedule(function()
    M.clear(buf)
  end)
  return true
end

--- Line (from 1) of the edit that is shown in the current buffer.
---@return integer?
function M.place()
  local state = M._current(api.nvim_get_current_buf())
  return state and state.row + 1
end

---@param buf? integer
function M.clear(buf)
  buf = buf or api.nvim_get_current_buf()
  M._stop(buf)
  if edits[buf] then
    edits[buf] = nil
    if api.nvim_buf_is_valid(buf) then
      api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
      M.on_change(buf)
    end
  end
end

--- Nobody waits any more, for the pause or for an answer.
---@param buf integer
function M._stop(buf)
  local timer, request = timers[buf], pending[buf]
  timers[buf], pending[buf] = nil, nil
  if timer and not timer:is_closing() then
    timer:stop()
    timer:close()
  end
  if request and not request.client:is_stopped() then
    request.client:cancel_request(request.id)
  end
end

---@param buf integer
---@return lintseq.NextEdit?
function M._current(buf)
  local state = edits[buf]
  return state and state.tick == api.nvim_buf_get_changedtick(buf) and state or nil
end

return M
