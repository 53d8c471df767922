#!lua flags=no-writes
-- bodies: tasks as they are now, and what their runs have left beside them.
--
-- ARGV[2] ids. Answers how many of the first ids fit into `limits.bodiesBytesMax`; those of them that are known, see describe; and
-- place, attempts, logs, … of those that have any.

-- Payloads are read by so many: what does not fit must not be read either.
local SLICE = 20

local function readResults(large, ids)
  local wanted, isWanted = {}, {}
  for _, id in ipairs(ids) do
    local task = tasks[id]
    if task then
      if isWanted[task] == nil then isWanted[task] = has(task, 'r') or false end
      if isWanted[task] then wanted[#wanted + 1] = id end
    end
  end
  if #wanted == 0 then return end
  for i, text in ipairs(call('HMGET', prefix .. 'results', unpack(wanted))) do
    large[wanted[i]] = text
  end
end

-- The first ids, and the results that stand beside their tasks.
local function fitting(ids)
  local taken, large, bytes = {}, {}, 0
  for from = 1, #ids, SLICE do
    local slice = { unpack(ids, from, math.min(from + SLICE - 1, #ids)) }
    crowdsOf(slice, nil, true)
    readResults(large, slice)
    for _, id in ipairs(slice) do
      bytes = bytes + (tasks[id] and #rows[id] or 0) + (large[id] and #large[id] or 0)
      if bytes > limits.bodiesBytesMax and #taken > 0 then return taken, large end
      taken[#taken + 1] = id
    end
  end
  return taken, large
end

return function()
  local ids, large = fitting(words(ARGV[2]))
  local known, left, place = describe(ids, large), {}, 0
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
end
