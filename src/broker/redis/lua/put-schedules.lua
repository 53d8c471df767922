#!lua
-- schedules.put: stores new and changed schedules.
--
-- ARGV[2] a JSON list of [name, times, nextAt, dueAt], see schedule.lua, ARGV[3 …] definitions
-- Answers "created", "changed" or "unchanged" for each.

return function()
  local given, names, texts, answers = cjson.decode(ARGV[2]), {}, {}, {}

  local function put(name, times, nextAt, dueAt, definition)
    local known = schedules.found[name]
    if known and texts[name] == definition then return 'unchanged' end
    local schedule = known or { 0, nextAt, dueAt, false, false, now, now, times, {} }
    -- A change that is due at the same times misses none of them.
    if known and known[S_TIMES] ~= times then schedule[S_NEXT_AT], schedule[S_DUE_AT] = nextAt, dueAt end
    schedule[S_VERSION], schedule[S_CHANGED_AT], schedule[S_TIMES] = schedule[S_VERSION] + 1, now, times
    texts[name] = definition
    set(puts, 'scheduleTexts', name, definition)
    schedules.store(name, schedule)
    events.configure = {}
    return known and 'changed' or 'created'
  end

  for i, schedule in ipairs(given) do
    names[i] = schedule[1]
  end
  schedules.load(names)
  for i, text in ipairs(#names > 0 and call('HMGET', prefix .. 'scheduleTexts', unpack(names)) or {}) do
    texts[names[i]] = text
  end
  for i, schedule in ipairs(given) do
    answers[i] = put(schedule[1], schedule[2], schedule[3], schedule[4], ARGV[2 + i])
  end
  write()
  return answers
end
