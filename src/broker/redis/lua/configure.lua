#!lua flags=allow-oom
-- configure: the pause of a queue, the maximum and rate of a limit.
--
-- ARGV[2] "queue" or "limit", ARGV[3] its name
-- ARGV[4] the settings as JSON, absent where nothing changes, false for back to the default:
--   { pause: { by, reason } } or { max, rate: { count, perMs } }
-- Answers 1 when a queue was resumed.

local scope, name, settings = ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local isResumed = 0

local function configureQueue()
  local known, pause = call('HGET', prefix .. 'queues', name) or '', settings.pause
  local text = known
  if pause then
    pause.at = now
    text = cjson.encode(pause)
  elseif pause == false then
    text = ''
  end
  set(puts, 'queues', name, text)
  if known ~= '' and text == '' then isResumed = 1 end
end

local function configureLimit()
  local text = call('HGET', prefix .. 'limits', name)
  local known = text and cjson.decode(text) or { false, false, false }
  if settings.max ~= nil then known[1] = settings.max end
  if settings.rate ~= nil then
    local count, perMs = settings.rate and settings.rate.count, settings.rate and settings.rate.perMs
    -- Else a slow rate, made faster, would hold back for its old period. One that is set again as it was forgets nothing.
    if count ~= known[2] or perMs ~= known[3] then set(puts, 'tats', name, false) end
    known[2], known[3] = count, perMs
  end
  set(puts, 'limits', name, (known[1] or known[2]) and cjson.encode(known))
end

if scope == 'queue' then configureQueue() else configureLimit() end
events.configure = {}
write()
return isResumed
