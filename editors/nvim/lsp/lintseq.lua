--- The server, as `vim.lsp.config()` wants it described. It is started by `require('lintseq').setup()`,
--- or by `vim.lsp.enable('lintseq')` where only ghost text is wanted.

-- An empty entry of PYTHONPATH is the current folder, from which Python runs `sitecustomize.py` before
-- anything else. So the server starts in a folder that is nobody's project, and all of Python's variables
-- are empty, which is as good as not set.
local without_python = {}
for name in pairs(vim.fn.environ()) do
  if name:upper():match('^PYTHON') then
    without_python[name] = ''
  end
end

---@type vim.lsp.Config
return {
  cmd = { 'lintseq-lsp', '--stdio' },
  cmd_cwd = vim.env.VIMRUNTIME,
  cmd_env = without_python,
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
