#!lua flags=no-writes
-- raw-bodies: tasks as they lie in the store, unread: most need nothing else, and Lua reads them ten times as slowly as who asks.
--
-- ARGV[2] ids, ARGV[3] "heads" for whoever knows the rows. Answers of the first of them that fit into `limits.bodiesBytesMax`: their rows, nothing for what is not there; the heads that
-- are there, each once, and for every task the number of its head in two bytes, 0 for none; and so the results.

-- Payloads are read by so many: what does not fit must not be read either.
local SLICE = 20
local nothing = '\0\0'

-- Gives each text a number. To put texts together here would read every byte of them twice.
local function numberOf(texts, numbers, text)
  if not text then return nothing end
  local number = numbers[text]
  if not number then
    local n = #texts + 1
    number = string.char(math.floor(n / 256), n % 256)
    texts[n], numbers[text] = text, number
  end
  return number
end

return function()
  local ids = words(ARGV[2])
  local rows, heads, headNumbers, headOf, n, bytes = {}, {}, {}, {}, 0, 0
  local results, resultNumbers, resultOf = {}, {}, {}
  for from = 1, #ids, SLICE do
    local to = math.min(from + SLICE - 1, #ids)
    local someHeads = call('HMGET', prefix .. 'heads', unpack(ids, from, to))
    local someRows = ARGV[3] == 'heads' and {} or call('HMGET', prefix .. 'tasks', unpack(ids, from, to))
    -- Nobody has run what has no head.
    local hasHeads = false
    for i = 1, #someHeads do
      hasHeads = hasHeads or someHeads[i]
    end
    local someResults = hasHeads and call('HMGET', prefix .. 'results', unpack(ids, from, to)) or {}
    for i = 1, to - from + 1 do
      local row, result = someRows[i], someResults[i]
      bytes = bytes + (row and #row or 0) + (result and #result or 0)
      if bytes > limits.bodiesBytesMax and n > 0 then break end
      n = n + 1
      rows[n] = row or false
      headOf[n] = numberOf(heads, headNumbers, someHeads[i])
      resultOf[n] = numberOf(results, resultNumbers, result)
    end
    if n < to then break end
  end
  return { rows, heads, table.concat(headOf), results, table.concat(resultOf) }
end
