-- Schedules: `schedules` has what is stored of one by its name, a packed list; `definitions` of them, which are opaque, are the texts
-- of `scheduleTexts`. `scheduleNames` is their order, `schedulesDue` the order in which they are to be fired.

local schedules = {}

function anew.schedule()
  schedules.found = fresh(schedules.found)
end

-- `times` is the part of a definition that says when it is due; `recent` a list of { at, until, count, skipped, taskId, asked,
-- recordedAt }, the newest first. False for none.
local S_VERSION, S_NEXT_AT, S_DUE_AT, S_PAUSE, S_LAST_TASK, S_CREATED_AT, S_CHANGED_AT, S_TIMES, S_RECENT = 1, 2, 3, 4, 5, 6, 7, 8, 9

function schedules.load(names)
  if #names == 0 then return end
  for i, text in ipairs(call('HMGET', prefix .. 'schedules', unpack(names))) do
    schedules.found[names[i]] = text and cmsgpack.unpack(text)
  end
end

function schedules.store(name, schedule)
  schedules.found[name] = schedule
  set(puts, 'schedules', name, cmsgpack.pack(schedule))
  set(scores, 'scheduleNames', name, 0)
  set(scores, 'schedulesDue', name, schedule[S_DUE_AT])
end

function schedules.drop(name)
  schedules.found[name] = false
  set(puts, 'schedules', name, false)
  set(puts, 'scheduleTexts', name, false)
  set(scores, 'scheduleNames', name, false)
  set(scores, 'schedulesDue', name, false)
end

-- Names, and what is stored of each, as it leaves the store.
function schedules.tell(names)
  if #names == 0 then return { {}, {}, {} } end
  return {
    names, call('HMGET', prefix .. 'schedules', unpack(names)), call('HMGET', prefix .. 'scheduleTexts', unpack(names)),
  }
end
