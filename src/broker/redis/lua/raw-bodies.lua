#!lua flags=no-writes
-- raw-bodies: tasks as they lie in the store, unread: most need nothing else, and Lua reads them ten times as slowly as who asks.
--
-- ARGV[2] ids. Answers heads, rows and results of the first ids that fit into `limits.bodiesBytesMax`, nothing for what is not there.

local SLICE = 20

return function()
  -- Payloads are read by so many: what does not fit must not be read either.

  local ids = words(ARGV[2])
  local heads, rows, results, n, bytes = {}, {}, {}, 0, 0
  for from = 1, #ids, SLICE do
    local to = math.min(from + SLICE - 1, #ids)
    local someHeads = call('HMGET', prefix .. 'heads', unpack(ids, from, to))
    local someRows = call('HMGET', prefix .. 'tasks', unpack(ids, from, to))
    local someResults = call('HMGET', prefix .. 'results', unpack(ids, from, to))
    for i = 1, to - from + 1 do
      local row, result = someRows[i], someResults[i]
      bytes = bytes + (row and #row or 0) + (result and #result or 0)
      if bytes > limits.bodiesBytesMax and n > 0 then return { heads, rows, results } end
      n = n + 1
      heads[n], rows[n], results[n] = someHeads[i], row, result
    end
  end
  return { heads, rows, results }
end
