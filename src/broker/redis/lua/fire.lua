#!lua
-- schedules.fire: enqueues the tasks of schedules and moves them on, each time at most once.
--
-- ARGV[2] a JSON list of [name, kind, version, at, nextAt, dueAt, alone, until, count, task]: false for none, `task` the place of its
-- task among those that follow
-- ARGV[3] forms, ARGV[4] ids, see idList, ARGV[5] the form of each, ARGV[6] extras, ARGV[7 …] payloads: see enqueue.lua
-- Answers an outcome and what it is about for each, the signals, and nothing.

local F_NAME, F_KIND, F_VERSION, F_AT, F_NEXT_AT, F_DUE_AT, F_ALONE, F_UNTIL, F_COUNT, F_TASK = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10

return function()
  local firings, busy, hasFired = cjson.decode(ARGV[2]), {}, false
  local batch = { forms = cjson.decode(ARGV[3]), ids = idList(ARGV[4]), formOf = words(ARGV[5]), extras = {}, offset = 6 }
  for _, extra in ipairs(cjson.decode(ARGV[6])) do
    batch.extras[extra[1]] = extra
  end

  -- The last tasks of all of them are looked at before anything is fired; one that is fired in this call is unfinished.
  local function loadAll()
    local names, lastIds, seen = {}, {}, {}
    for _, firing in ipairs(firings) do
      local name = firing[F_NAME]
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
    schedules.load(names)
    for _, name in ipairs(names) do
      local schedule = schedules.found[name]
      if schedule and schedule[S_LAST_TASK] then lastIds[#lastIds + 1] = schedule[S_LAST_TASK] end
    end
    load(lastIds)
    for _, name in ipairs(names) do
      local lastId = schedules.found[name] and schedules.found[name][S_LAST_TASK]
      busy[name] = lastId and tasks[lastId] and not isFinished(tasks[lastId][STATE]) and lastId or nil
    end
  end

  -- Answers an outcome and a task: the one that was fired, or that is in the way.
  local function enqueueOf(firing)
    local id = batch.ids[firing[F_TASK]]
    local outcome, of = arrivals.arriveOne(batch, firing[F_TASK], {})
    if outcome == 'replaced' then edges.finished[#edges.finished + 1] = of end
    if outcome == 'created' or outcome == 'replaced' then return 'created', id end
    -- The id is that of the time: whoever has it was fired for it.
    if outcome == 'existing' or of == id then return 'there', id end
    return 'key', of
  end

  local function decide(firing, schedule)
    local kind, name = firing[F_KIND], firing[F_NAME]
    if kind ~= 'ask' then
      if schedule[S_VERSION] ~= firing[F_VERSION] or schedule[S_NEXT_AT] ~= firing[F_AT] then return 'moved' end
      if schedule[S_PAUSE] then return 'paused', false end
      if kind == 'skip' then return 'missed', false end
      if firing[F_ALONE] and busy[name] then return 'overlap', busy[name] end
    end
    return enqueueOf(firing)
  end

  -- As `remember` of core/schedule.ts: skips that are alike become one.
  local function remember(recent, record)
    local last = recent[1]
    local isLike = last and last[4] and not last[6] and not record[6] and last[4] == record[4] and last[5] == record[5]
    if not isLike then
      table.insert(recent, 1, record)
      recent[limits.firingsKept + 1] = nil
      return
    end
    record[2] = record[2] or record[1]
    record[1], record[3] = last[1], last[3] and record[3] and last[3] + record[3]
    recent[1] = record
  end

  local function note(firing, schedule, outcome, taskId)
    local isAsked, isFired = firing[F_KIND] == 'ask', outcome == 'created' or outcome == 'there'
    if isAsked and outcome == 'there' then return end
    local isSkip = firing[F_KIND] == 'skip'
    remember(schedule[S_RECENT], {
      firing[F_AT], isSkip and firing[F_UNTIL], not isSkip and 1 or firing[F_COUNT], not isFired and outcome, taskId, isAsked, now,
    })
    if not isAsked then schedule[S_NEXT_AT], schedule[S_DUE_AT] = firing[F_NEXT_AT], firing[F_DUE_AT] end
    if isFired then schedule[S_LAST_TASK], busy[firing[F_NAME]] = taskId, taskId end
    schedules.store(firing[F_NAME], schedule)
    events.fire = {}
  end

  loadAll()
  arrivals.openBatch(batch)
  local answers = {}
  for i, firing in ipairs(firings) do
    local schedule, outcome, taskId = schedules.found[firing[F_NAME]], 'unknown', false
    if schedule then
      outcome, taskId = decide(firing, schedule)
      if outcome ~= 'moved' then note(firing, schedule, outcome, taskId) end
    end
    answers[2 * i - 1], answers[2 * i] = outcome, taskId or ''
  end
  arrivals.insertCrowds(batch)
  release()
  write()
  return { answers, signals() }
end
