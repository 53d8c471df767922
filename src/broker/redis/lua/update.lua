#!lua
-- update: queue, priority, delay, limits and tags of tasks that wait.
--
-- ARGV[2] changes, a JSON list of { id, version, queue, priority, delayMs, rules, tags }: false for no version, no rules and
-- no tags, what does not change is absent
-- Answers a word for each ("updated" and the state, "changed" and the version, "already" and the state, "unknown"), and the
-- signals.

local TAGS = 11

-- The row keeps the shape it came with; another one is counted beside it.
local function reshape(id, task, change)
  if change.queue == nil and change.priority == nil and change.tags == nil then return end
  local shape = cjson.decode(shapeTexts[task[SHAPE]])
  if change.queue ~= nil then shape[QUEUE] = change.queue end
  if change.priority ~= nil then shape[PRIORITY] = change.priority end
  if change.tags ~= nil then shape[TAGS] = change.tags end
  local _, rowShape = cmsgpack.unpack_limit(rows[id], 1, 2)
  if task[SHAPE] ~= rowShape then add('shapeUses', task[SHAPE], -1) end
  task[SHAPE] = shapeIdOf(cjson.encode(shape))
  if task[SHAPE] ~= rowShape then add('shapeUses', task[SHAPE], 1) end
end

local function updateOne(change)
  local id = change.id
  local task = tasks[id]
  if not task then return 'unknown' end
  if not isWaiting(task[STATE]) then return 'already ' .. task[STATE] end
  if change.version and change.version ~= task[VERSION] then return 'changed ' .. task[VERSION] end
  local from = leave(id, task)
  reshape(id, task, change)
  if change.rules ~= nil then setAside(id, task, 'l', change.rules) end
  if change.delayMs then
    task[DUE_AT] = now + change.delayMs
    if from ~= 'blocked' then task[STATE] = change.delayMs > 0 and 'scheduled' or 'queued' end
  end
  enter('update', id, task, from)
  return 'updated ' .. task[STATE]
end

return function()
  local changes, ids, answers = cjson.decode(ARGV[2]), {}, {}
  for i, change in ipairs(changes) do
    ids[i] = change.id
  end
  load(ids, true)
  for i, change in ipairs(changes) do
    answers[i] = updateOne(change)
  end
  release()
  write()
  return { answers, signals() }
end
