-- Reservations for wrk that arrive at a steady rate, whatever the answers do: who is refused comes back later.
-- Each line of the file is one (token, method, path, body), dealt out to the threads. Arguments: the file, the number
-- of threads, and how many requests a second all threads together send.
-- Which answer belongs to which request is told by the correlation id, which every answer returns.
local ffi = require("ffi")
ffi.cdef([[
  typedef struct { long seconds; long nanoseconds; } moment;
  int clock_gettime(int clock, moment *now);
]])
local moment = ffi.new("moment")
local monotonic = 1
-- In seconds. An answer that has not come by then counts as none.
local patience = 2
local nothing = "GET /healthz HTTP/1.1\r\nHost: booking\r\n\r\n"

local function clock()
  ffi.C.clock_gettime(monotonic, moment)
  return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

local next_thread = 0

function setup(thread)
  thread:set("number", next_thread)
  next_thread = next_thread + 1
  threads = threads or {}
  table.insert(threads, thread)
end

function init(args)
  local threads_in_all, line_number = tonumber(args[2]), 0
  heads, bodies, queue, first, last = {}, {}, {}, 1, 0
  for line in io.lines(args[1]) do
    if line_number % threads_in_all == number then
      local token, method, path, body = line:match("(%S+) (%S+) (%S+) (%S*)")
      last = last + 1
      heads[last] = method .. " " .. path .. " HTTP/1.1\r\nHost: booking\r\nAuthorization: Bearer " .. token
        .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\nX-Correlation-Id: "
      bodies[last] = "\r\n\r\n" .. body
      queue[last] = last
    end
    line_number = line_number + 1
  end
  interval = threads_in_all / tonumber(args[3])
  sent_at, sent, late_answers, conflict, other, exhausted = {}, 0, 0, 0, 0, 0
  -- How many answers took so many whole milliseconds.
  accepted, refused = {}, {}
end

function delay()
  local now = clock()
  due = due or now
  local wait = due - now
  due = due + interval
  return wait > 0 and math.floor(wait * 1000 + 0.5) or 0
end

function request()
  -- wrk asks once before it begins, and does not send that.
  if due == nil then
    return nothing
  end
  local line = queue[first]
  if line == nil then
    exhausted = 1
    return nothing
  end
  queue[first] = nil
  first = first + 1
  sent = sent + 1
  sent_at[line] = clock()
  return heads[line] .. line .. bodies[line]
end

local function count(answers, seconds)
  local milliseconds = math.ceil(seconds * 1000)
  answers[milliseconds] = (answers[milliseconds] or 0) + 1
end

function response(status, headers)
  local line = tonumber(headers["x-correlation-id"] or headers["X-Correlation-Id"])
  if line == nil or sent_at[line] == nil then
    return
  end
  local seconds = clock() - sent_at[line]
  sent_at[line] = nil
  if seconds > patience then
    late_answers = late_answers + 1
  end
  if status == 201 then
    count(accepted, seconds)
  elseif status == 503 then
    count(refused, seconds)
    last = last + 1
    queue[last] = line
  elseif status == 409 then
    conflict = conflict + 1
  else
    other = other + 1
  end
end

function done(summary)
  local now = clock()
  local function sum(name)
    local total = 0
    for _, thread in ipairs(threads) do
      total = total + thread:get(name)
    end
    return total
  end
  local function answers(name)
    local parts = {}
    for _, thread in ipairs(threads) do
      for milliseconds, times in pairs(thread:get(name)) do
        parts[#parts + 1] = "[" .. milliseconds .. "," .. times .. "]"
      end
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local unanswered = summary.errors.connect + summary.errors.read + summary.errors.write + sum("late_answers")
  for _, thread in ipairs(threads) do
    for _, at in pairs(thread:get("sent_at")) do
      if now - at > patience then
        unanswered = unanswered + 1
      end
    end
  end
  io.write(string.format('{"accepted":%s,"refused":%s,"conflict":%d,"other":%d,"unanswered":%d,"exhausted":%d,' ..
    '"sent":%d,"seconds":%.3f}\n', answers("accepted"), answers("refused"), sum("conflict"), sum("other"), unanswered,
    sum("exhausted"), sum("sent"), summary.duration / 1e6))
end
