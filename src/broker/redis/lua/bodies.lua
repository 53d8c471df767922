#!lua flags=no-writes
-- bodies: tasks as they are now, and what their runs have left beside them.
--
-- ARGV[2] ids. Answers how many of the first ids fit into `limits.bodiesBytesMax`; those of them that are known, see describe; and
-- place, attempts, logs, … of those that have any.

-- Payloads are read by so many: what does not fit must not be read either.
local SLICE = 20

local function bytesOf(id)
  local task = tasks[id]
  if not task then return 0 end
  local hasResult = has(task, 'r')
  return #rows[id] + (hasResult and call('HSTRLEN', prefix .. 'results', id) or 0)
end

local function fitting(ids)
  local taken, bytes = {}, 0
  for from = 1, #ids, SLICE do
    local to = math.min(from + SLICE - 1, #ids)
    crowdsOf({ unpack(ids, from, to) }, nil, true)
    for i = from, to do
      bytes = bytes + bytesOf(ids[i])
      if bytes > limits.bodiesBytesMax and i > 1 then return taken end
      taken[i] = ids[i]
    end
  end
  return taken
end

local ids = fitting(words(ARGV[2]))
local known, left, place = describe(ids), {}, 0
for _, id in ipairs(ids) do
  local task = tasks[id]
  if task then
    place = place + 1
    if has(task, 'a') then
      local attempts = call('LRANGE', prefix .. 'attempts:' .. id, 0, -1)
      local logs = call('LRANGE', prefix .. 'logs:' .. id, -limits.logLinesMax, -1)
      if #attempts + #logs > 0 then
        left[#left + 1], left[#left + 2], left[#left + 3] = place, attempts, logs
      end
    end
  end
end
return { #ids, known, left }
