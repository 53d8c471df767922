#!lua
-- enqueue: stores new tasks, each once, one at a time under its key.
--
-- ARGV[2] forms, a JSON list of [shape, delayMs, at, startWithinMs, expiresInMs]: what tasks of one batch mostly share
-- ARGV[3] ids, ARGV[4] the form of each
-- ARGV[5] what only some have, a JSON list of [place, key, rules, more]
-- ARGV[6 …] payloads
-- Answers a letter for each task (queued and scheduled ones that were simply created, else a dot), and the others as
-- place, outcome, the other task, state; then the signals.

local forms, ids, formOf, extras, keys = cjson.decode(ARGV[2]), words(ARGV[3]), words(ARGV[4]), {}, {}
for _, extra in ipairs(cjson.decode(ARGV[5])) do
  extras[extra[1]] = extra
  if extra[2] then keys[#keys + 1] = extra[2] end
end
for _, form in ipairs(forms) do
  form.fields = cjson.decode(form[1])
  form.dueAt = form[3] and math.max(form[3], now) or now + form[2]
end
loadKeys(keys)
local known = call('HMGET', prefix .. 'tasks', unpack(ids))
for i, id in ipairs(ids) do
  rows[id] = known[i]
end

local function make(form, dueAt, key, rules, more)
  local startBy, expiresAt = form[4] and dueAt + form[4], form[5] and now + form[5]
  local aside = rules and 'l' or ''
  form.shape = form.shape or shapeIdOf(form[1])
  local values = cmsgpack.pack(form.shape, now, dueAt, startBy, expiresAt, key, aside, more)
  return { values = values, task = freshTask(values) }
end

local function insert(i, form, dueAt)
  local id, extra, made = ids[i], extras[i], nil
  if extra then
    made = make(form, dueAt, extra[2], extra[3], extra[4])
    if extra[3] then set(puts, 'rules', id, extra[3]) end
    if extra[2] then holdKey(extra[2], id, false) end
    tasks[id] = made.task
  else
    -- Nothing of such a task differs from that of its neighbours but the id and the payload.
    form.plain = form.plain or make(form, dueAt, false, false, false)
    made = form.plain
  end
  rows[id] = made.values .. ARGV[5 + i]
  set(puts, 'tasks', id, rows[id])
  add('shapeUses', form.shape, 1)
  place(id, made.task)
  record('enqueue', id, made.task, false, made.task[STATE])
  return made.task[STATE]
end

local function hasSameBody(i, form)
  local id = ids[i]
  local offset, shape, _, _, _, _, key = cmsgpack.unpack_limit(rows[id], ROW_VALUES + 1, 0)
  loadShapes({ shape })
  return shapes[shape][NAME] == form.fields[NAME]
    and key == (extras[i] and extras[i][2] or false)
    and (offset == -1 and '' or string.sub(rows[id], offset + 1)) == ARGV[5 + i]
end

-- Only a holder that waits can be replaced: what runs, or ran within `keyForMs`, stands.
local function replace(i, form, holderId)
  load({ holderId })
  local holder = tasks[holderId]
  if not holder or not isWaiting(holder[STATE]) then return 'duplicate', holderId, '' end
  freeKey(holderId, holder)
  local from = leave(holderId, holder)
  holder[STATE], holder[REASON], holder[FINISHED_AT] = 'cancelled', 'replaced', now
  holder[PRUNE_AT] = now + shapes[holder[SHAPE]][KEEP_MS]
  enter('replace', holderId, holder, from)
  local isEarlier = form.fields[IF_EXISTS] == 'replace'
  return 'replaced', holderId, insert(i, form, isEarlier and math.min(form.dueAt, holder[DUE_AT]) or form.dueAt)
end

local function enqueueOne(i)
  local id, form = ids[i], forms[tonumber(formOf[i])]
  if rows[id] then
    if not hasSameBody(i, form) then return 'conflict', id, '' end
    load({ id })
    return 'existing', '', tasks[id][STATE]
  end
  local holderId = extras[i] and holderOf(extras[i][2])
  if not holderId then return 'created', '', insert(i, form, form.dueAt) end
  local rule = form.fields[IF_EXISTS]
  if rule == 'error' then return 'conflict', holderId, '' end
  if rule == 'return' then return 'duplicate', holderId, '' end
  return replace(i, form, holderId)
end

local letters, others = {}, {}
for i = 1, #ids do
  local outcome, of, state = enqueueOne(i)
  letters[i] = outcome == 'created' and string.sub(state, 1, 1) or '.'
  if outcome ~= 'created' then
    for _, value in ipairs({ i, outcome, of, state }) do
      others[#others + 1] = value
    end
  end
end
write()
return { table.concat(letters), others, signals() }
