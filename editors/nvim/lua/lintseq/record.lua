--- The last answer of the model for a buffer as a case file: what a report of a fault needs.
local M = {}

--- Opens a scratch buffer with it. Nothing is written or sent anywhere.
function M.show()
  local client = require('lintseq').client()
  if not client then
    vim.notify('LintSeq: no server is attached to this buffer', vim.log.levels.WARN)
    return
  end
  client:request('lintseq/record', { textDocument = vim.lsp.util.make_text_document_params() }, function(error, answer)
    if error then
      vim.notify('LintSeq: ' .. error.message, vim.log.levels.ERROR)
    elseif not answer or answer == vim.NIL then
      vim.notify('LintSeq: there is no recent request for this buffer')
    else
      vim.cmd.new()
      vim.bo.buftype, vim.bo.bufhidden = 'nofile', 'wipe'
      vim.api.nvim_buf_set_lines(0, 0, -1, true, vim.split(answer.text, '\n', { trimempty = true }))
      vim.notify('LintSeq: this contains the text of your file. It is not saved or sent unless you do so.')
    end
  end)
end

return M
