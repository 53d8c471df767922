#!lua flags=no-writes
-- raw-bodies: tasks as they lie in the store, unread: most need nothing else, and Lua reads them ten times as slowly as who asks.
--
-- ARGV[2] ids. Answers of the first of them that fit into `limits.bodiesBytesMax`: how many they are, the heads that are there, each once;
-- and, as one text each, for every task the number of its head, 0 for none, its row, and its result, false for what is not there.

-- Payloads are read by so many: what does not fit must not be read either.
local SLICE = 20

return function()
  local ids = words(ARGV[2])
  local heads, numbers, headOf, rows, results, n, bytes = {}, {}, {}, {}, {}, 0, 0
  for from = 1, #ids, SLICE do
    local to = math.min(from + SLICE - 1, #ids)
    local someHeads = call('HMGET', prefix .. 'heads', unpack(ids, from, to))
    local someRows = call('HMGET', prefix .. 'tasks', unpack(ids, from, to))
    local someResults = call('HMGET', prefix .. 'results', unpack(ids, from, to))
    local before = n
    for i = 1, to - from + 1 do
      local head, row, result = someHeads[i], someRows[i], someResults[i]
      bytes = bytes + (row and #row or 0) + (result and #result or 0)
      if bytes > limits.bodiesBytesMax and n > 0 then break end
      n = n + 1
      if head and not numbers[head] then
        heads[#heads + 1], numbers[head] = head, #heads + 1
      end
      headOf[n] = head and numbers[head] or 0
    end
    if n > before then
      rows[#rows + 1] = cmsgpack.pack(unpack(someRows, 1, n - before))
      results[#results + 1] = cmsgpack.pack(unpack(someResults, 1, n - before))
    end
    if n < to then break end
  end
  return { n, heads, cmsgpack.pack(unpack(headOf)), table.concat(rows), table.concat(results) }
end
