--- Why the last suggestion for a buffer is as it is, or why there is none.
local M = {}

--- What the reasons mean, for people. As the server's closed list of them.
local meanings = {
  ['accepted'] = 'a suggestion was made',
  ['new-findings'] = 'all that the model wrote would have broken the file',
  ['does-not-parse'] = 'what the model wrote is not Python',
  ['pragma'] = 'the model tried to silence the linter',
  ['linter-failed'] = 'the linter failed',
  ['malformed'] = 'what the model wrote is no edit',
  ['complete'] = 'the model has nothing to add',
  ['nothing-new'] = 'what the model wrote stands there already',
  ['no-fit'] = 'it does not go together with what is right of the cursor',
  ['base-does-not-parse'] = 'the file does not parse as it is',
  ['newer-syntax'] = "the file seems to use newer Python than the server's",
  ['rejected-before'] = 'you did not want it',
  ['unsure'] = 'the model is not sure enough',
  ['in-string-or-comment'] = 'the cursor is in a string or a comment',
  ['too-long'] = 'the file is too long',
  ['ignored'] = 'the file is ignored',
  ['stale'] = 'the file has changed meanwhile',
  ['superseded'] = 'a newer request came',
  ['cancelled'] = 'it was cancelled',
  ['no-model'] = 'there is no model',
  ['limit'] = 'tries or steps were used up',
  ['off'] = 'it is switched off',
}

---@param answer table? of `lintseq/explain`
---@return string[] lines
function M.lines(answer)
  if not answer or answer == vim.NIL then
    return { 'Nothing was asked for this buffer yet.' }
  end
  local lines = { ('%s: %s'):format(answer.reason, meanings[answer.reason] or '') }
  if answer.detail and answer.detail ~= '' then
    table.insert(lines, answer.detail)
  end
  table.insert(
    lines,
    ('%.0f ms%s, judged by %s'):format(
      answer.milliseconds,
      answer.cached and ' from memory' or '',
      #answer.tiers > 0 and table.concat(answer.tiers, ', ') or 'nothing'
    )
  )
  for _, suggestion in ipairs(answer.suggestions) do
    table.insert(
      lines,
      ('offered: states checked: %d, findings: %d before, %d after (%s)'):format(
        suggestion.states,
        suggestion.findingsBefore,
        suggestion.findingsAfter,
        suggestion.tier
      )
    )
  end
  for _, verdict in ipairs(answer.rejected) do
    table.insert(lines, ('rejected: %s %s'):format(verdict.reason, verdict.detail))
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
    vim.notify('LintSeq: no server looks after this buffer', vim.log.levels.WARN)
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
