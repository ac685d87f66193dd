--- Edits by instruction: the steps stream into a preview beside the file, and you take as many as you like.
local api = vim.api

local M = {}

---@class lintseq.Preview
---@field source integer buffer that is edited
---@field tick integer its `changedtick` when the work began
---@field buf integer the preview's buffer
---@field window integer
---@field client vim.lsp.Client
---@field states string[][] the file's lines after 0, 1, … steps
---@field steps table[] each step as the server reports it: its text edits, and the evidence
---@field at integer number of steps that are shown
---@field request? integer while the server is at work
---@field token string
---@field ending? string why it ended, for people

local current ---@type lintseq.Preview?
local instructions = 0

--- Called with the preview, whenever it changes, and with nil when it is closed. For tests.
---@type fun(preview?: lintseq.Preview)
M.on_change = function() end

--- Edits the current buffer as `instruction` says; asks for one when it is empty.
---@param instruction string
---@param lines? integer[] first and last line, from 1: the place
function M.edit(instruction, lines)
  if instruction == '' then
    vim.ui.input({ prompt = 'Edit: ' }, function(given)
      if given and given ~= '' then
        M.edit(given, lines)
      end
    end)
    return
  end
  local source = api.nvim_get_current_buf()
  local client = require('lintseq').client(source)
  if not client then
    vim.notify('LintSeq: no server is attached to this buffer', vim.log.levels.WARN)
    return
  end
  M.close()
  require('lintseq.next_edit').clear(source)
  instructions = instructions + 1
  local preview = {
    source = source,
    tick = api.nvim_buf_get_changedtick(source),
    client = client,
    states = { api.nvim_buf_get_lines(source, 0, -1, true) },
    steps = {},
    at = 0,
    token = 'lintseq-edit-' .. instructions,
  }
  current = preview
  M._open(preview, instruction)
  local params = {
    textDocument = vim.lsp.util.make_text_document_params(source),
    instruction = instruction,
    partialResultToken = preview.token,
    workDoneToken = preview.token .. '-work',
  }
  params.textDocument.version = vim.lsp.util.buf_versions[source]
  if lines then
    params.range = {
      start = { line = lines[1] - 1, character = 0 },
      ['end'] = { line = lines[2], character = 0 },
    }
  end
  local _, request = client:request('lintseq/edit', params, function(error, result)
    preview.request = nil
    preview.ending = error and error.message or result.reason == 'complete' and 'complete' or result.message
    if preview == current then
      M._title(preview)
      M.on_change(preview)
    end
  end, source)
  preview.request = request
end

--- The preview that is open, if one is.
---@return lintseq.Preview?
function M.preview()
  return current
end

--- Shows the file after `count` steps.
---@param count integer
function M.show(count)
  local preview = current
  if not preview then
    return
  end
  preview.at = math.max(0, math.min(count, #preview.steps))
  vim.bo[preview.buf].modifiable = true
  api.nvim_buf_set_lines(preview.buf, 0, -1, true, preview.states[preview.at + 1])
  vim.bo[preview.buf].modifiable = false
  vim.cmd.diffupdate()
  M._title(preview)
  M.on_change(preview)
end

--- Makes the steps that are shown in the file, one undo each, and closes the preview.
function M.accept()
  local preview = current
  if not preview then
    return
  end
  if api.nvim_buf_get_changedtick(preview.source) ~= preview.tick then
    vim.notify('LintSeq: the file has changed in the meantime: nothing was applied', vim.log.levels.WARN)
    return
  end
  M.close()
  local next_edit = require('lintseq.next_edit')
  for step = 1, preview.at do
    next_edit.undo_break()
    next_edit.apply(preview.steps[step].edits, preview.source, preview.client.offset_encoding)
  end
  next_edit.undo_break()
end

--- Ends the server's work; what is clean by then stays in the preview.
function M.stop()
  if current and current.request then
    current.client:notify('window/workDoneProgress/cancel', { token = current.token .. '-work' })
  end
end

--- Closes the preview and changes nothing.
function M.close()
  local preview = current
  current = nil
  if not preview then
    return
  end
  if preview.request then
    preview.client:cancel_request(preview.request)
  end
  if api.nvim_win_is_valid(preview.window) then
    api.nvim_win_close(preview.window, true)
  end
  local window = vim.fn.bufwinid(preview.source)
  if window ~= -1 then
    api.nvim_win_call(window, vim.cmd.diffoff)
    api.nvim_set_current_win(window)
  end
  M.on_change()
end

---@param preview lintseq.Preview
---@param instruction string
function M._open(preview, instruction)
  vim.cmd.diffthis()
  vim.cmd('vertical rightbelow new')
  preview.window, preview.buf = api.nvim_get_current_win(), api.nvim_get_current_buf()
  local buf = preview.buf
  vim.bo[buf].buftype, vim.bo[buf].bufhidden, vim.bo[buf].swapfile = 'nofile', 'wipe', false
  api.nvim_buf_set_lines(buf, 0, -1, true, preview.states[1])
  vim.bo[buf].modifiable = false
  vim.bo[buf].syntax = vim.bo[preview.source].filetype -- not the file type: no server should look at it
  vim.b[buf].lintseq_instruction = instruction
  vim.cmd.diffthis()
  for key, action in pairs({
    ['<CR>'] = M.accept,
    ['q'] = M.close,
    ['<C-c>'] = M.stop,
    [']s'] = function()
      M.show(preview.at + vim.v.count1)
    end,
    ['[s'] = function()
      M.show(preview.at - vim.v.count1)
    end,
  }) do
    vim.keymap.set('n', key, action, { buffer = buf, nowait = true, desc = 'LintSeq' })
  end
  api.nvim_create_autocmd('BufWipeout', {
    buffer = buf,
    once = true,
    callback = function()
      if current == preview then
        vim.schedule(M.close)
      end
    end,
  })
  M._title(preview)
end

---@param preview lintseq.Preview
function M._title(preview)
  if not api.nvim_win_is_valid(preview.window) then
    return
  end
  local state = preview.ending or 'working …'
  vim.wo[preview.window].winbar = ('LintSeq: step %d of %d, %s%%=<CR> accept  q reject'):format(
    preview.at,
    #preview.steps,
    state:gsub('%%', '%%%%')
  )
  local step = preview.steps[preview.at]
  vim.wo[preview.window].statusline = step
      and (' checked by %s: findings %d before, %d after'):format(step.tier, step.findingsBefore, step.findingsAfter)
    or ' unchanged'
end

---@param preview lintseq.Preview
---@param step table of the file after the last one
function M._add(preview, step)
  local scratch = api.nvim_create_buf(false, true)
  api.nvim_buf_set_lines(scratch, 0, -1, true, preview.states[#preview.states])
  require('lintseq.next_edit').apply(step.edits, scratch, preview.client.offset_encoding)
  table.insert(preview.states, api.nvim_buf_get_lines(scratch, 0, -1, true))
  table.insert(preview.steps, step)
  api.nvim_buf_delete(scratch, { force = true })
  if preview.at == #preview.steps - 1 then
    M.show(#preview.steps)
  else
    M._title(preview)
  end
end

api.nvim_create_autocmd('LspProgress', {
  group = api.nvim_create_augroup('lintseq.instruct', {}),
  callback = function(event)
    local params = event.data.params
    if current and params.token == current.token and params.value.edits then
      M._add(current, params.value)
    end
  end,
})

return M
