#!lua flags=allow-oom
-- settle: ends leases as the verdicts say, each at most once, then claims the next tasks.
--
-- ARGV[2] forms, a JSON list of [token, to, reason, charge, keepMs or delayMs, ranMs, epoch]: what verdicts of one batch share
-- ARGV[3] ids, see idList, ARGV[4] the form of each, or nothing when there is one
-- ARGV[5] what only some have, a JSON list of [place, error, progress, logs]
-- ARGV[6] the next claim as JSON (see claim.lua), or nothing
-- ARGV[7] what is spawned, a JSON list of [forms, ids, form of each, extras, settlement of each] or nothing (see arrive.lua)
-- ARGV[8 …] results, empty for none, and behind them the payloads of what is spawned
-- Answers a letter for each settlement, 1 when a slot was freed that somebody waits for, the signals, and what a claim
-- answers; or "refused" and why.

local FORM_TOKEN, FORM_TO, FORM_REASON, FORM_CHARGE, FORM_MS, FORM_RAN_MS, FORM_EPOCH = 1, 2, 3, 4, 5, 6, 7
local counters = { crash = CRASHES, interruption = INTERRUPTIONS, snooze = SNOOZES }

local forms, ids, formOf, extras

local function isDiverted(task, form)
  if not task[CANCEL_AT] or form[FORM_TO] == 'cancelled' then return false end
  return form[FORM_TO] ~= 'succeeded' or shapes[task[SHAPE]][STRICT_CANCEL]
end

-- A cancelled task in place of the verdict; its error is kept.
local function divert(task, form)
  local keepMs = isFinished(form[FORM_TO]) and form[FORM_MS] or shapes[task[SHAPE]][KEEP_MS]
  return { form[FORM_TOKEN], 'cancelled', 'user', form[FORM_CHARGE], keepMs, form[FORM_RAN_MS] }
end

-- Every charge but `attempt` gives the attempt back and counts itself.
local function charge(task, charged)
  if charged == 'attempt' then return end
  task[ATTEMPT] = task[ATTEMPT] - 1
  local counter = counters[charged]
  if counter then task[counter] = task[counter] + 1 end
end

-- A plain success is told by the task itself; a run that never began and costs nothing was no attempt.
local function recordAttempts(who, task, form, startedAt, failure)
  if form[FORM_TO] == 'succeeded' or (not form[FORM_RAN_MS] and form[FORM_CHARGE] == 'nothing') then return end
  local text = cjson.encode({
    task[EPOCH], task[ATTEMPT], task[WORKER_ID], task[CLAIMED_AT] or now, startedAt, now, form[FORM_TO],
    form[FORM_REASON], failure,
  })
  mark(task, 'a')
  for _, id in ipairs(who) do
    push('attempts:' .. id, text)
  end
end

-- Slots of their own rules, and of their queue's.
local function endSlots(who, task)
  local queue = shapes[task[SHAPE]][QUEUE]
  if not has(task, 'l') and not gate.withQueueRule(nil, queue) then return end
  for _, id in ipairs(who) do
    local rules = gate.withQueueRule(rulesOf[id], queue)
    if rules then leaveSlots(id, rules) end
  end
end

-- The run is over: what it cost, and what it held.
local function endRun(who, task, form, failure)
  local startedAt = form[FORM_RAN_MS] and (task[STARTED_AT] or now - form[FORM_RAN_MS])
  recordAttempts(who, task, form, startedAt, failure)
  charge(task, form[FORM_CHARGE])
  task[STARTED_AT] = startedAt
  if task[TOKEN] then add('openClaims', task[TOKEN], -#who) end
  endSlots(who, task)
end

-- The new place: an end with its retention, or a wait with its time.
local function move(who, task, form, results)
  local to = form[FORM_TO]
  if isFinished(to) then
    task[FINISHED_AT], task[PRUNE_AT] = now, now + form[FORM_MS]
  else
    if to == 'scheduled' then task[DUE_AT] = now + form[FORM_MS] end
    task[WORKER_ID], task[CLAIMED_AT] = false, false
  end
  setResult(who, task, isFinished(to) and results)
  task[STATE], task[REASON] = to, form[FORM_REASON]
  if form[FORM_RAN_MS] then task[START_BY] = false end
end

-- The end of a task frees its key; a success may keep it for a while.
local function endKeys(who, task)
  if not has(task, 'k') then return end
  local keys, keyForMs = {}, shapes[task[SHAPE]][KEY_FOR_MS]
  for i, id in ipairs(who) do
    keys[i] = keyOfTask(id)
  end
  loadKeys(keys)
  for i, id in ipairs(who) do
    local held = keyOf(keys[i])
    if held and held[1] == id and task[STATE] == 'succeeded' and keyForMs then
      holdKey(keys[i], id, now + keyForMs)
    elseif held and held[1] == id then
      freeKey(id, task)
    end
  end
end

local function apply(who, task, form, results, extra, kind)
  local from, failure = leave(who, task), extra and extra[2] or false
  local epoch = task[EPOCH]
  if from == 'running' then endRun(who, task, form, failure) end
  move(who, task, form, results)
  setAside(who, task, 'e', failure)
  if extra and extra[3] then setAside(who, task, 'p', extra[3]) end
  for _, line in ipairs(extra and extra[4] or {}) do
    mark(task, 'a')
    push('logs:' .. who[1], epoch .. ' ' .. line)
  end
  task[TOKEN], task[JUDGE_TOKEN], task[JUDGE_UNTIL], task[SETTLED_TOKEN] = false, false, false, form[FORM_TOKEN]
  enter(kind, who, task, from)
  if from == 'blocked' and isWaiting(task[STATE]) and task[STATE] ~= 'blocked' then edges.letGo(who[1]) end
  if isFinished(task[STATE]) then endKeys(who, task) end
end

-- Who share a crowd have no result, all a small one or all a large one.
local function bitOf(form, result)
  return 4 * form + (result == '' and 0 or #result <= RESULT_MAX and 1 or 2)
end

-- Answers the letter of a crowd whose settlements are all like that at `places[1]`.
local function settleCrowd(who, task, places)
  local first = places[1]
  local form = forms[tonumber(formOf[first] or 1)]
  local token = form[FORM_TOKEN]
  local isNow = task[EPOCH] == form[FORM_EPOCH]
  local isOwn = isNow and task[TOKEN] == token
  local isJudge = isNow and task[JUDGE_TOKEN] == token and not isFinished(task[STATE])
  if not isOwn and not isJudge then
    return task[SETTLED_TOKEN] == token and 'a' or 's'
  end
  local diverts, results = isDiverted(task, form), nil
  if not diverts and ARGV[7 + first] ~= '' then
    results = {}
    for i, place in ipairs(places) do
      results[i] = ARGV[7 + place]
    end
  end
  apply(who, task, diverts and divert(task, form) or form, results, extras[first], isOwn and 'settle' or 'judge')
  return diverts and 'v' or 'd'
end

return function()
  forms, ids, formOf, extras = cjson.decode(ARGV[2]), idList(ARGV[3]), words(ARGV[4]), {}
  for _, extra in ipairs(cjson.decode(ARGV[5])) do
    extras[extra[1]] = extra
  end
  -- Who share a crowd: settlements of one form with results of one kind. A task goes alone when something is said of it alone or
  -- twice, and when others of this call may change it too: what is spawned, or parents that it waits for.
  local bits, letters, again, seen, isTwice, limited = {}, {}, {}, {}, {}, {}
  for i, id in ipairs(ids) do
    if seen[id] then
      isTwice[id], again[#again + 1] = true, i
    end
    seen[id] = true
  end
  for i, id in ipairs(ids) do
    bits[i], letters[i] = bitOf(tonumber(formOf[i] or 1), ARGV[7 + i]), 'u'
    if extras[i] or isTwice[id] or ARGV[7] ~= '' then bits[i] = -i end
  end
  for _, i in ipairs(again) do
    bits[i] = false
  end
  local crowds = crowdsOf(ids, bits)
  for _, crowd in ipairs(crowds) do
    for _, id in ipairs(has(crowd.task, 'l') and crowd.ids or {}) do
      limited[#limited + 1] = id
    end
  end
  loadRules(limited)
  for _, crowd in ipairs(crowds) do
    if crowd.task[STATE] == 'blocked' then
      for i, id in ipairs(crowd.ids) do
        tasks[id] = { unpack(crowd.task) }
        letters[crowd.places[i]] = settleCrowd({ id }, tasks[id], { crowd.places[i] })
      end
    else
      local letter = settleCrowd(crowd.ids, crowd.task, crowd.places)
      for _, place in ipairs(crowd.places) do
        letters[place] = letter
      end
    end
  end
  for _, i in ipairs(again) do
    if tasks[ids[i]] then letters[i] = settleCrowd({ ids[i] }, tasks[ids[i]], { i }) end
  end

  if ARGV[7] ~= '' then
    local spawnForms, spawned, formOfEach, others, owners = unpack(cjson.decode(ARGV[7]))
    local batch = { forms = spawnForms, ids = idList(spawned), formOf = words(formOfEach), extras = {}, skips = {}, unknown = 'fail' }
    batch.offset = 7 + #letters
    for _, extra in ipairs(others) do
      batch.extras[extra[1]] = extra
    end
    for i, owner in ipairs(owners) do
      batch.skips[i] = letters[owner] ~= 'd'
    end
    local _, _, refusal = arrivals.store(batch)
    if refusal then return { 'refused', refusal } end
  end
  release()

  local claimed, leaseUntil = {}, nil
  if ARGV[6] ~= '' then
    -- The claim looks for tasks where these settlements have just put them.
    writeTasks()
    claimed, leaseUntil = claim(cjson.decode(ARGV[6]))
  end
  write()
  return { table.concat(letters), next(freed) and 1 or 0, signals(), answerOf(claimed, leaseUntil) }
end
