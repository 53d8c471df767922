#!lua flags=allow-oom
-- settle: ends leases as the verdicts say, each at most once, then claims the next tasks.
--
-- ARGV[2] forms, a JSON list of [token, to, reason, charge, keepMs or delayMs, ranMs, epoch]: what verdicts of one batch share
-- ARGV[3] ids with spaces between, or as a JSON list, ARGV[4] which form how many of them have, again and again, or nothing when there is one
-- ARGV[5] what only some have, a JSON list of [place, error, progress, logs]
-- ARGV[6] the next claim as JSON (see claim.lua), or nothing
-- ARGV[7] what is spawned, a JSON list of [forms, ids, form of each, extras, settlement of each] or nothing (see arrive.lua)
-- ARGV[8] "1" when all have the same result, ARGV[9 …] results, empty for none: that one, or one for each; and behind them the payloads of what is
-- spawned
-- Answers a letter for each settlement, 1 when a slot was freed that somebody waits for, the signals, and what a claim
-- answers; or "refused" and why.

local FORM_TOKEN, FORM_TO, FORM_REASON, FORM_CHARGE, FORM_MS, FORM_RAN_MS, FORM_EPOCH = 1, 2, 3, 4, 5, 6, 7
local counters = { crash = CRASHES, interruption = INTERRUPTIONS, snooze = SNOOZES }

-- `isKept` says that ids are those of one claim, each once.
local forms, ids, formOf, extras, shared, isKept

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
  local queue, lists = shapes[task[SHAPE]][QUEUE], {}
  if not has(task, 'l') then
    local rules = gate.withQueueRule(nil, queue)
    if rules then leaveSlots(who, rules) end
    return
  end
  local shared = ofClaims.rulesOf(task)
  if shared then return leaveSlots(who, gate.withQueueRule(shared, queue)) end
  -- Who has the same rules has the same table of them.
  for i = 1, #who do
    local own = rulesOf[who[i]] or nothing
    local list = lists[own]
    if list then list[#list + 1] = who[i] else lists[own] = { who[i] } end
  end
  for own, list in pairs(lists) do
    leaveSlots(list, gate.withQueueRule(own, queue))
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

-- The keys of tasks. Mostly a key is short, and its first byte says so.
local function keysOf(who)
  local keys, own, byteOf, partOf = {}, owns, string.byte, string.sub
  for i = 1, #who do
    local text = own[who[i]]
    local first = text and byteOf(text) or 0
    keys[i] = first >= 160 and first < 192 and partOf(text, 2, first - 159) or keyOfTask(who[i])
  end
  return keys
end

-- Lets go of keys that are held as they were taken, see `heldBy`, and answers whether all of them were: then nothing has changed otherwise.
local function freeAll(who, keys)
  local held = call('HMGET', prefix .. 'keys', unpack(keys))
  for i = 1, #who do
    if held[i] ~= '\146\186' .. who[i] .. '\194' then return false end
  end
  set(puts, 'keys', keys, false)
  return true
end

-- The end of a task frees its key; a success may keep it for a while.
local function endKeys(who, task)
  if not has(task, 'k') then return end
  local keys, keyForMs = keysOf(who), task[STATE] == 'succeeded' and shapes[task[SHAPE]][KEY_FOR_MS]
  -- What is spawned may take a key, which then stands in the place of this.
  if not keyForMs and ARGV[7] == '' and not next(keysHeld) and freeAll(who, keys) then return end
  loadKeys(keys)
  for i, id in ipairs(who) do
    local held = keyOf(keys[i])
    if held and held[1] == id then
      if keyForMs then holdKey(keys[i], id, now + keyForMs) else freeKey(id, task) end
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

-- The form of each.
local function readRuns(text)
  local list, n, runs = {}, 0, words(text)
  for at = 1, #runs, 2 do
    local form = tonumber(runs[at])
    for i = n + 1, n + runs[at + 1] do
      list[i] = form
    end
    n = n + runs[at + 1]
  end
  return list
end

-- What all of a crowd have, or a list of what each has; nothing for none.
local function resultsOf(runs)
  if shared or ARGV[8 + runs[1]] == '' then return shared ~= '' and shared or nil end
  local texts = {}
  for at = 1, #runs, 2 do
    for place = runs[at], runs[at + 1] do
      texts[#texts + 1] = ARGV[8 + place]
    end
  end
  return texts
end

-- Answers the letter of a crowd whose settlements are all like that of the first.
local function settleCrowd(who, task, runs)
  local first = runs[1]
  local form = forms[formOf[first] or 1]
  local token = form[FORM_TOKEN]
  local isNow = task[EPOCH] == form[FORM_EPOCH]
  local isOwn = isNow and task[TOKEN] == token
  local isJudge = isNow and task[JUDGE_TOKEN] == token and not isFinished(task[STATE])
  if not isOwn and not isJudge then
    return task[SETTLED_TOKEN] == token and 'a' or 's'
  end
  local diverts = isDiverted(task, form)
  apply(
    who, task, diverts and divert(task, form) or form, not diverts and resultsOf(runs), extras[first],
    isOwn and 'settle' or 'judge'
  )
  return diverts and 'v' or 'd'
end

-- Who share a crowd: settlements of one form with results of one kind. A task goes alone when something is said of it alone or
-- twice, and when others of this call may change it too: what is spawned, or parents that it waits for. Nothing when all may share one.
local function bitsOf(isAlone)
  if #forms == 1 and shared and not next(extras) and ARGV[7] == '' and not isAlone then return nil end
  -- Mostly it is their forms alone.
  if shared and not next(extras) and ARGV[7] == '' and not isAlone then return formOf end
  local bits = {}
  for i = 1, #ids do
    bits[i] = bitOf(formOf[i] or 1, shared or ARGV[8 + i])
    if extras[i] or ARGV[7] ~= '' or (isAlone and isAlone[ids[i]]) then bits[i] = -i end
  end
  return bits
end

-- Who is to wait for parents is looked at again: it may have none.
local function isAnyBlocked()
  for _, form in ipairs(forms) do
    if form[FORM_TO] == 'blocked' then return true end
  end
  return false
end

-- The crowds, and the places of those that were named before in this call.
local function readCrowds()
  -- What is spawned may name them.
  local crowds = crowdsOf(ids, bitsOf(), false, ARGV[7] == '' and isKept and not isAnyBlocked())
  if not crowds.isTwice then return crowds, nothing end
  local seen, isAlone, again = {}, {}, {}
  for i, id in ipairs(ids) do
    if seen[id] then isAlone[id], again[#again + 1] = true, i end
    seen[id] = true
  end
  local bits = bitsOf(isAlone)
  for _, i in ipairs(again) do
    bits[i] = false
  end
  tasks = {}
  return crowdsOf(ids, bits), again
end

local function readLimited(crowds)
  local limited = {}
  for _, crowd in ipairs(crowds) do
    for _, id in ipairs(has(crowd.task, 'l') and not ofClaims.rulesOf(crowd.task) and crowd.ids or nothing) do
      limited[#limited + 1] = id
    end
  end
  loadRules(limited)
end

-- Answers a letter for each settlement.
local function settleAll()
  local crowds, again = readCrowds()
  readLimited(crowds)
  local letters = {}
  for _, crowd in ipairs(crowds) do
    local runs = crowd.runs
    local letter = crowd.task[STATE] ~= 'blocked' and settleCrowd(crowd.ids, crowd.task, runs)
    for at = 1, #runs, 2 do
      if letter then letters[runs[at]] = string.rep(letter, runs[at + 1] - runs[at] + 1) end
      for place = runs[at], letter and 0 or runs[at + 1] do
        local id = ids[place]
        tasks[id] = { unpack(crowd.task) }
        letters[place] = settleCrowd({ id }, tasks[id], { place, place })
      end
    end
  end
  for _, i in ipairs(again) do
    if tasks[ids[i]] then letters[i] = settleCrowd({ ids[i] }, tasks[ids[i]], { i, i }) end
  end
  return textOfRuns(letters, 1, #ids, 'u')
end

-- What is spawned stands or falls with the settlement of its owner. Answers what is refused.
local function spawn(letters)
  local spawnForms, spawned, formOfEach, others, owners = unpack(cjson.decode(ARGV[7]))
  local batch = { forms = spawnForms, ids = idList(spawned), formOf = words(formOfEach), extras = {}, skips = {}, unknown = 'fail' }
  batch.offset = 8 + (shared and 1 or #ids)
  for _, extra in ipairs(others) do
    batch.extras[extra[1]] = extra
  end
  for i, owner in ipairs(owners) do
    batch.skips[i] = string.sub(letters, owner, owner) ~= 'd'
  end
  local _, _, refusal = arrivals.store(batch)
  return refusal
end

return function()
  forms, formOf, extras = cjson.decode(ARGV[2]), readRuns(ARGV[4]), {}
  ids = #forms > 0 and ofClaims.idsOf(forms[1][FORM_TOKEN], ARGV[3])
  isKept = ids and true or false
  ids = ids or readIds(ARGV[3])
  if string.byte(ARGV[3]) ~= 91 then idTexts[ids] = ARGV[3] end
  shared = ARGV[8] == '1' and ARGV[9]
  for _, extra in ipairs(cjson.decode(ARGV[5])) do
    extras[extra[1]] = extra
  end
  local letters = settleAll()
  local refusal = ARGV[7] ~= '' and spawn(letters)
  if refusal then return { 'refused', refusal } end
  release()

  local claimed = { ids = nothing }
  if ARGV[6] ~= '' then
    -- The claim looks for tasks where these settlements have just put them.
    writeTasks()
    packs.mayBeBare = true
    claimed = claim(cjson.decode(ARGV[6]))
  end
  write()
  return { letters, next(freed) and 1 or 0, signals(), answerOf(claimed) }
end
