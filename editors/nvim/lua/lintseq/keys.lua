--- Keys that do something only when there is something to do, and else what they did before.
local api = vim.api

local M = {}

local mapped = {} ---@type table<integer, table[]>
local called ---@type fun() what `_call` is to call

--- Maps `key` in a buffer to `action`. When that returns false, the mapping that was there before has
--- its turn, or the key itself. Of a menu that is open, that mapping is asked first.
---@param buf integer
---@param modes string|string[]
---@param key string|false
---@param action fun(): boolean
---@param description string
function M.map(buf, modes, key, action, description)
  if not key then
    return
  end
  for _, mode in ipairs(type(modes) == 'table' and modes or { modes }) do
    local before = api.nvim_buf_call(buf, function()
      return vim.fn.maparg(key, mode, false, true)
    end)
    before = before.buffer == 1 and before or nil
    local function press()
      local map = before or M._global(mode, key)
      if map and mode == 'i' and M._is_users(map) and M.is_menu_open() then
        return M._run(map)
      end
      return action() and '' or map and M._run(map) or key
    end
    vim.keymap.set(mode, key, press, { buffer = buf, expr = true, silent = true, desc = description })
    mapped[buf] = mapped[buf] or {}
    table.insert(mapped[buf], { mode = mode, key = key, before = before, press = press })
  end
end

--- Takes all keys of a buffer back, but for those that somebody else has mapped since.
---@param buf integer
function M.unmap(buf)
  for _, entry in ipairs(mapped[buf] or {}) do
    if api.nvim_buf_is_valid(buf) then
      api.nvim_buf_call(buf, function()
        if vim.fn.maparg(entry.key, entry.mode, false, true).callback ~= entry.press then
          return
        end
        vim.keymap.del(entry.mode, entry.key, { buffer = buf })
        if entry.before then
          vim.fn.mapset(entry.mode, false, entry.before)
        end
      end)
    end
  end
  mapped[buf] = nil
end

--- Whether a menu of completions can be seen: Neovim's own, nvim-cmp's or blink.cmp's.
---@return boolean
function M.is_menu_open()
  local cmp, blink = package.loaded['cmp'], package.loaded['blink.cmp']
  return vim.fn.pumvisible() == 1
    or (cmp and cmp.visible and cmp.visible())
    or (blink and blink.is_menu_visible and blink.is_menu_visible())
    or false
end

--- Whether somebody made the mapping, and not Neovim, whose own <Tab> goes on in a snippet.
---@param map table
---@return boolean
function M._is_users(map)
  return not vim.startswith(map.desc or '', 'vim.snippet.jump')
end

--- The mapping of all buffers, as `nvim_get_keymap()` describes it.
---@return table?
function M._global(mode, key)
  local raw = vim.keycode(key)
  for _, map in ipairs(api.nvim_get_keymap(mode)) do
    if map.lhsraw == raw or map.lhsrawalt == raw then
      return map
    end
  end
end

--- What a mapping does, as the result of an `expr` mapping.
---@param map table as `maparg()` describes it
---@return string
function M._run(map)
  if map.expr == 1 then
    local keys = map.callback and map.callback() or api.nvim_eval(map.rhs)
    return map.replace_keycodes == 1 and keys or vim.fn.keytrans(keys or '')
  end
  if map.callback then
    called = map.callback
    return '<Cmd>lua require("lintseq.keys")._call()<CR>' -- not scheduled: it goes before the next key
  end
  if map.noremap == 0 then
    api.nvim_feedkeys(vim.keycode(map.rhs), 'im', false)
    return ''
  end
  return map.rhs or ''
end

function M._call()
  called()
end

return M
