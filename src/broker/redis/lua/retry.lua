#!lua
-- retry: finished → queued, by a person: a new generation that begins anew.
--
-- ARGV[2] ids. Answers a word for each ("queued" or "blocked" and the generation, "already" and the state, "conflict" and the
-- holder of its key, "unknown"), and the signals.

-- As they are now: a parent that runs again is waited for. Who is gone can not be asked and holds nobody back.
local function askParents(id, task)
  if not string.find(task[ASIDE], 'd', 1, true) then return end
  for _, dependency in ipairs(edges.dependsOn(id)) do
    local parent = dependency[1]
    load({ parent })
    if edges.of(id, parent) then
      -- It may be another task under the same id, that knows of no children.
      edges.link(id, parent, tasks[parent] and edges.letterOf(tasks[parent][STATE], dependency[2]) or 'd')
    end
  end
end

-- Who waits for a task that failed, and was not judged for it yet, waits for its next run; unless that waits for the child.
local function reopenEdges(id)
  local children = edges.childrenOf(id)
  edges.load(children)
  for _, child in ipairs(children) do
    local task = tasks[child]
    if task and task[STATE] == 'blocked' and edges.of(child, id) == 'f' and not edges.waitsFor(id, child) then
      edges.set(child, id, 'o')
      task[JUDGE_TOKEN], task[JUDGE_UNTIL], dirty[child] = false, false, task
      set(scores, 'deadlines', child, edges.count('failed', child) > 0 and now or deadlineOf(task) or false)
    end
  end
end

local function retryOne(id)
  local task = tasks[id]
  if not task then return 'unknown' end
  if not isFinished(task[STATE]) then return 'already ' .. task[STATE] end
  local key = keyOfTask(id)
  local holderId = holderOf(key)
  if holderId and holderId ~= id then return 'conflict ' .. holderId end
  askParents(id, task)
  local from = leave(id, task)
  local state = edges.count('waits', id) > 0 and 'blocked' or 'queued'
  task[STATE], task[REASON], task[DUE_AT], task[GENERATION] = state, 'retry', now, task[GENERATION] + 1
  task[ATTEMPT], task[CRASHES], task[INTERRUPTIONS], task[SNOOZES] = 0, 0, 0, 0
  for _, place in ipairs({ START_BY, EXPIRES_AT, WORKER_ID, CLAIMED_AT, STARTED_AT, FINISHED_AT, PRUNE_AT, CANCEL_AT }) do
    task[place] = false
  end
  -- Neither a late repetition nor a judge of the former generation may speak about this one.
  task[SETTLED_TOKEN], task[JUDGE_TOKEN], task[JUDGE_UNTIL] = false, false, false
  for letter in string.gmatch('epcw', '.') do
    setAside(id, task, letter, false)
  end
  setResult(id, task, false)
  -- Children that it has not let go yet wait for its next end.
  if has(task, 'h') then set(puts, 'releasing', id, false) end
  enter('retry', id, task, from)
  if key then holdKey(key, id, false) end
  reopenEdges(id)
  if call('HEXISTS', prefix .. 'cancelledFlows', id) == 1 then
    set(puts, 'cancelledFlows', id, false)
    set(scores, 'flowWishes', id, false)
  end
  return state .. ' ' .. task[GENERATION]
end

return function()
  local ids, answers = words(ARGV[2]), {}
  load(ids)
  for i, id in ipairs(ids) do
    answers[i] = retryOne(id)
  end
  release()
  write()
  return { answers, signals() }
end
