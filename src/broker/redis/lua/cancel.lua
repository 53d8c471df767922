#!lua flags=allow-oom
-- cancel: what waits is cancelled, what runs gets the wish.
--
-- ARGV[2] ids, ARGV[3] "1" when there are words for people, ARGV[4] these
-- Answers a word for each: "cancelled", "requested" (a new wish), "again" (the wish was there), "unknown", or "already" and
-- the state.

local said = ARGV[3] == '1' and ARGV[4]

local function request(id, task)
  if task[CANCEL_AT] then return 'again' end
  task[CANCEL_AT], task[VERSION] = now, task[VERSION] + 1
  setAside(id, task, 'w', said)
  dirty[id] = task
  set(scores, 'deadlines', id, deadlineOf(task))
  record('cancelRequest', id, task, 'running', 'running')
  return 'requested'
end

local function cancelOne(id)
  local task = tasks[id]
  if not task then return 'unknown' end
  if isFinished(task[STATE]) then return 'already ' .. task[STATE] end
  if task[STATE] == 'running' then return request(id, task) end
  freeKey(id, task)
  local from = leave(id, task)
  task[STATE], task[REASON], task[FINISHED_AT] = 'cancelled', 'user', now
  task[PRUNE_AT] = now + shapes[task[SHAPE]][KEEP_MS]
  setAside(id, task, 'w', said)
  enter('cancel', id, task, from)
  return 'cancelled'
end

local ids, answers = words(ARGV[2]), {}
load(ids)
for i, id in ipairs(ids) do
  answers[i] = cancelOne(id)
end
write()
return answers
