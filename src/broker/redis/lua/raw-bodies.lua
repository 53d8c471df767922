#!lua flags=no-writes
-- raw-bodies: tasks as they lie in the store, unread: most need nothing else, and Lua reads them ten times as slowly as who asks.
--
-- ARGV[2] ids. Answers of the first of them that fit into `limits.bodiesBytesMax`: their rows, nothing for what is not there; the heads that are
-- there, each once, and for every task the number of its head in two bytes, 0 for none, or nothing when no head is there.

-- Payloads are read by so many: what does not fit must not be read either.
local SLICE = 20
local none = '\0\0'

return function()
  local ids = idList(ARGV[2])
  local rows, heads, numbers, headOf, n, bytes, hasHeads = {}, {}, {}, {}, 0, 0, false
  for from = 1, #ids, SLICE do
    local to = math.min(from + SLICE - 1, #ids)
    local someRows = call('HMGET', prefix .. 'tasks', unpack(ids, from, to))
    local someHeads = call('HMGET', prefix .. 'heads', unpack(ids, from, to))
    for i = 1, #someRows do
      local row, head = someRows[i], someHeads[i]
      bytes = bytes + (row and #row or 0)
      if bytes > limits.bodiesBytesMax and n > 0 then break end
      n = n + 1
      rows[n] = row
      if head then
        local number = numbers[head]
        if not number then
          local place = #heads + 1
          number = string.char(math.floor(place / 256), place % 256)
          heads[place], numbers[head], hasHeads = head, number, true
        end
        headOf[n] = number
      else
        headOf[n] = none
      end
    end
    if n < to then break end
  end
  return { rows, heads, hasHeads and table.concat(headOf) or '' }
end
