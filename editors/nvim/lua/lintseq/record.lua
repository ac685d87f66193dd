--- The last answer of the model for a buffer as a case file: what a report of a fault needs.
local M = {}

--- Opens a scratch buffer with it. Nothing is written or sent anywhere.
function M.show()
  local client = require('lintseq').client()
  if not client then
    vim.notify('LintSeq: no server looks after this buffer', vim.log.levels.WARN)
    return
  end
  client:request('lintseq/record', { textDocument = vim.lsp.util.make_text_document_params() }, function(error, answer)
    if error then
      vim.notify('LintSeq: ' .. error.message, vim.log.levels.ERROR)
    elseif not answer or answer == vim.NIL then
      vim.notify('LintSeq: the model was not asked for this buffer lately')
    else
      vim.cmd.new()
      vim.bo.buftype, vim.bo.bufhidden = 'nofile', 'wipe'
      vim.api.nvim_buf_set_lines(0, 0, -1, true, vim.split(answer.text, '\n', { trimempty = true }))
      vim.notify('LintSeq: this holds the text of your file. It is written and sent nowhere unless you do so.')
    end
  end)
end

return M
