#!lua
-- retry: finished → queued, by a person: a new generation that begins anew.
--
-- ARGV[2] ids. Answers a word for each ("queued" and the generation, "already" and the state, "conflict" and the holder of
-- its key, "unknown"), and the signals.

local function retryOne(id)
  local task = tasks[id]
  if not task then return 'unknown' end
  if not isFinished(task[STATE]) then return 'already ' .. task[STATE] end
  local key = task[KEY]
  local holderId = holderOf(key)
  if holderId and holderId ~= id then return 'conflict ' .. holderId end
  local from = leave(id, task)
  task[STATE], task[REASON], task[DUE_AT], task[GENERATION] = 'queued', 'retry', now, task[GENERATION] + 1
  task[ATTEMPT], task[CRASHES], task[INTERRUPTIONS], task[SNOOZES] = 0, 0, 0, 0
  for _, place in ipairs({ START_BY, EXPIRES_AT, WORKER_ID, CLAIMED_AT, STARTED_AT, FINISHED_AT, PRUNE_AT, CANCEL_AT }) do
    task[place] = false
  end
  -- Neither a late repetition nor a judge of the former generation may speak about this one.
  task[SETTLED_TOKEN], task[JUDGE_TOKEN], task[JUDGE_UNTIL] = false, false, false
  for letter in string.gmatch('repcw', '.') do
    setAside(id, task, letter, false)
  end
  enter('retry', id, task, from)
  if key then holdKey(key, id, false) end
  return 'queued ' .. task[GENERATION]
end

local ids, answers = words(ARGV[2]), {}
load(ids)
for i, id in ipairs(ids) do
  answers[i] = retryOne(id)
end
write()
return { answers, signals() }
