--- Keys that do something only when there is something to do, and else what they did before.
local api = vim.api

local M = {}

local mapped = {} ---@type table<integer, table[]>

--- Maps `key` in a buffer to `action`. When that returns false, the mapping that was there before has
--- its turn, or the key itself.
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
    vim.keymap.set(mode, key, function()
      return action() and '' or M._otherwise(before, mode, key)
    end, { buffer = buf, expr = true, silent = true, desc = description })
    mapped[buf] = mapped[buf] or {}
    table.insert(mapped[buf], { mode = mode, key = key, before = before })
  end
end

--- Takes all keys of a buffer back.
---@param buf integer
function M.unmap(buf)
  for _, entry in ipairs(mapped[buf] or {}) do
    if api.nvim_buf_is_valid(buf) then
      pcall(vim.keymap.del, entry.mode, entry.key, { buffer = buf })
      if entry.before then
        api.nvim_buf_call(buf, function()
          vim.fn.mapset(entry.mode, false, entry.before)
        end)
      end
    end
  end
  mapped[buf] = nil
end

--- What the key does without us, as the result of an `expr` mapping.
---@param map? table mapping of the buffer, as `maparg()` describes it
---@return string
function M._otherwise(map, mode, key)
  local raw = vim.keycode(key)
  for _, entry in ipairs(map and {} or api.nvim_get_keymap(mode)) do
    if entry.lhsraw == raw or entry.lhsrawalt == raw then
      map = entry
    end
  end
  if not map then
    return key
  end
  if map.expr == 1 then
    local keys = map.callback and map.callback() or api.nvim_eval(map.rhs)
    return map.replace_keycodes == 1 and keys or vim.fn.keytrans(keys or '')
  end
  if map.callback then
    vim.schedule(map.callback)
    return ''
  end
  if map.noremap == 0 then
    api.nvim_feedkeys(vim.keycode(map.rhs), 'im', false)
    return ''
  end
  return map.rhs or ''
end

return M
