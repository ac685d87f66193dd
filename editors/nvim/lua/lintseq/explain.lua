--- Why the last suggestion for a buffer is as it is, or why there is none.
local M = {}

---@param answer table? of `lintseq/explain`
---@return string[] lines
function M.lines(answer)
  if not answer or answer == vim.NIL then
    return { 'There was no request for this buffer yet.' }
  end
  local lines = { ('%s: %s'):format(answer.reason, answer.message) }
  if answer.detail and answer.detail ~= '' then
    table.insert(lines, answer.detail)
  end
  table.insert(
    lines,
    ('%.0f ms%s, checked by %s'):format(
      answer.milliseconds,
      answer.cached and ' from memory' or '',
      #answer.tiers > 0 and table.concat(answer.tiers, ', ') or 'nothing'
    )
  )
  for _, suggestion in ipairs(answer.suggestions) do
    table.insert(
      lines,
      ('shown: %d texts checked, findings: %d before, %d after (%s)'):format(
        suggestion.states,
        suggestion.findingsBefore,
        suggestion.findingsAfter,
        suggestion.tier
      )
    )
  end
  for _, verdict in ipairs(answer.rejected) do
    table.insert(lines, ('rejected: %s: %s %s'):format(verdict.reason, verdict.message, verdict.detail))
    for _, finding in ipairs(verdict.findings) do
      table.insert(lines, ('  line %d: %s %s'):format(finding.line, finding.code, finding.message))
    end
  end
  return vim.split(table.concat(lines, '\n'), '\n')
end

--- Opens a window with the answer.
function M.show()
  local client = require('lintseq').client()
  if not client then
    vim.notify('LintSeq: no server is attached to this buffer', vim.log.levels.WARN)
    return
  end
  client:request('lintseq/explain', { textDocument = vim.lsp.util.make_text_document_params() }, function(error, answer)
    if error then
      vim.notify('LintSeq: ' .. error.message, vim.log.levels.ERROR)
    else
      vim.lsp.util.open_floating_preview(M.lines(answer), '', { title = ' LintSeq ', border = 'rounded' })
    end
  end)
end

return M
