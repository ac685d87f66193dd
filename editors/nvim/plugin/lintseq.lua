--- The command `:Lintseq`. Everything else waits for `require('lintseq').setup()`.
if vim.g.loaded_lintseq then
  return
end
vim.g.loaded_lintseq = true

local subcommands = {
  edit = function(call, rest)
    local lines = call.range > 0 and { call.line1, call.line2 } or nil
    require('lintseq.instruct').edit(rest, lines)
  end,
  explain = function()
    require('lintseq.explain').show()
  end,
  record = function()
    require('lintseq.record').show()
  end,
  next = function()
    require('lintseq.next_edit').request(vim.api.nvim_get_current_buf(), { now = true, manual = true })
  end,
  accept = function()
    require('lintseq.next_edit').advance()
  end,
  reject = function()
    require('lintseq.next_edit').reject()
  end,
  restart = function()
    require('lintseq').restart()
  end,
  toggle = function()
    require('lintseq').toggle()
  end,
}

vim.api.nvim_create_user_command('Lintseq', function(call)
  local name, rest = call.args:match('^(%S+)%s*(.*)$')
  if not subcommands[name] then
    vim.notify('Lintseq: no such subcommand: ' .. tostring(name), vim.log.levels.ERROR)
    return
  end
  subcommands[name](call, rest)
end, {
  nargs = '+',
  range = true,
  desc = 'Python suggestions, checked with pylint',
  complete = function(lead, line)
    if line:match('Lintseq%s+%S+%s') then
      return {}
    end
    local names = vim.tbl_filter(function(name)
      return vim.startswith(name, lead)
    end, vim.tbl_keys(subcommands))
    table.sort(names)
    return names
  end,
})
