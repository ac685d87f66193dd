--- The server, as `vim.lsp.config()` wants it described. It is started by `require('lintseq').setup()`,
--- or by `vim.lsp.enable('lintseq')` where only ghost text is wanted.
---@type vim.lsp.Config
return {
  cmd = { 'lintseq-lsp', '--stdio' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', 'setup.py', '.git' },
  init_options = {
    -- Only you can grant this: a project's pylint configuration can run code.
    trusted = false,
    didChangeStatus = true,
  },
  on_exit = function(_, _, client_id)
    require('lintseq').on_exit(client_id)
  end,
  handlers = {
    didChangeStatus = function(_, status, context)
      require('lintseq').on_status(context.client_id, status)
    end,
  },
}
