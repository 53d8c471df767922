#!lua flags=no-writes
-- bodies: tasks as they are now, and what their runs have left beside them.
--
-- ARGV[2] ids. Answers { those that are known, see describe; place, attempts, logs, … of those that have any }.

local ids = words(ARGV[2])
local known, left = describe(ids), {}
local place = 0
for _, id in ipairs(ids) do
  local task = tasks[id]
  if task then
    place = place + 1
    -- A task that never ran has neither.
    if task[EPOCH] > 0 then
      local attempts = call('LRANGE', prefix .. 'attempts:' .. id, 0, -1)
      local logs = call('LRANGE', prefix .. 'logs:' .. id, -limits.logLinesMax, -1)
      if #attempts + #logs > 0 then
        left[#left + 1], left[#left + 2], left[#left + 3] = place, attempts, logs
      end
    end
  end
end
return { known, left }
