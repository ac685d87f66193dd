--- `:checkhealth lintseq`
local health = vim.health

--- Plug-ins with a menu of completions, by how they describe their mappings: these fall back to ours.
local menus = { ['blink.cmp'] = 'blink.cmp', ['cmp.utils.keymap.set_map'] = 'nvim-cmp' }

local M = {}

function M.check()
  health.start('Neovim')
  if vim.fn.has('nvim-0.12') == 1 then
    health.ok('ghost text, next edits and edits by instruction work')
  elseif vim.fn.has('nvim-0.11') == 1 then
    health.warn('next edits and edits by instruction work; ghost text needs Neovim 0.12')
  else
    health.error('Neovim 0.11 or newer is needed')
    return
  end

  health.start('Server')
  local config = vim.lsp.config.lintseq
  local command = config and config.cmd
  if type(command) ~= 'table' then
    health.error('vim.lsp.config has no entry lintseq', { 'Add the folder editors/nvim to the runtime path' })
    return
  end
  if vim.fn.executable(command[1]) == 1 then
    health.ok(vim.fn.exepath(command[1]))
  else
    health.error(command[1] .. ' is not found', {
      'install the server with pipx, or with pip into an environment',
      "or give its path: vim.lsp.config('lintseq', { cmd = { '/path/to/lintseq-lsp', '--stdio' } })",
    })
  end
  if not vim.lsp.is_enabled or vim.lsp.is_enabled('lintseq') then
    health.ok('enabled for: ' .. table.concat(config.filetypes or {}, ', '))
  else
    health.warn('not enabled', { "require('lintseq').setup(), or vim.lsp.enable('lintseq')" })
  end
  local clients = vim.lsp.get_clients({ name = 'lintseq' })
  if #clients == 0 then
    health.info('not running; it starts when you open a Python file')
  end
  for _, client in ipairs(clients) do
    local info = client.server_info or {}
    health.ok(
      ('runs: %s %s, client %d, %s, buffers %s, folder %s'):format(
        info.name or '?',
        info.version or '?',
        client.id,
        client.offset_encoding,
        table.concat(vim.tbl_keys(client.attached_buffers), ' '),
        client.root_dir or 'none'
      )
    )
    local answer, buf = nil, next(client.attached_buffers)
    if buf then
      local params = { textDocument = vim.lsp.util.make_text_document_params(buf) }
      answer = client:request_sync('lintseq/explain', params, 2000, buf)
    end
    if answer and answer.result and answer.result ~= vim.NIL then
      health.info('the last answer: ' .. table.concat(require('lintseq.explain').lines(answer.result), '\n'))
    end
  end

  health.start('Keys')
  local lintseq = require('lintseq')
  local by_use = {}
  for use, key in pairs(lintseq.options.keys) do
    table.insert(by_use, ('%s: %s'):format(use, key or 'none'))
  end
  table.sort(by_use)
  health.info(table.concat(by_use, '\n'))
  for _, client in ipairs(clients) do
    for buf in pairs(client.attached_buffers) do
      for use, key in pairs({ accept = lintseq.options.keys.accept }) do
        local map = key and vim.api.nvim_buf_call(buf, function()
          return vim.fn.maparg(key, 'i', false, true)
        end)
        local menu = map and menus[map.desc]
        if menu then
          health.ok(('%s uses %s, and passes it on when its menu is closed'):format(menu, key))
        elseif map and map.desc ~= 'Accept what LintSeq shows' then
          health.warn(('another mapping of the buffer replaces %s (%s): %s'):format(key, use, map.desc or map.rhs or '?'), {
            "use another key: require('lintseq').setup({ keys = { accept = '<C-y>' } })",
          })
        end
      end
    end
  end
end

return M
