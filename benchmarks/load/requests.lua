-- Requests for wrk, each line of the file one (token, method, path, body, idempotency key), dealt out to the threads.
-- Arguments, each as name=value:
--   file, threads  the file, and how many threads share it
--   rate           requests a second of all threads together, whatever the answers do; 0: as fast as they are answered
--   last           `once`: after the last line there is nothing more to ask; `again`: from the first line again
--   refused        what comes of a request that is answered 503: `retry` at once, or `drop`
--   keys           `each`: an idempotency key of its own for each request; `file`: what the line says
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
local kinds = 1000000
-- Asked for when there is nothing else to ask: wrk cannot be silent.
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

local function read(line)
  local token, method, path, body, key = line:match("(%S+) (%S+) (%S+) (%S*) (%S*)")
  local head = method .. " " .. path .. " HTTP/1.1\r\nHost: booking\r\nAuthorization: Bearer " .. token .. "\r\n"
  if body ~= "" then
    head = head .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n"
  end
  if key ~= "" then
    head = head .. "Idempotency-Key: " .. key .. "\r\n"
  end
  return head, body
end

function init(args)
  local options = {}
  for _, each in ipairs(args) do
    local name, value = each:match("^(%l+)=(.*)$")
    options[name or each] = value
  end
  again, keyed, refused = options.last == "again", options.keys == "each", options.refused
  heads, bodies, retries, first_retry, last_retry = {}, {}, {}, 1, 0
  local of, line_number = tonumber(options.threads), 0
  for line in io.lines(options.file) do
    if line_number % of == number then
      heads[#heads + 1], bodies[#bodies + 1] = read(line)
    end
    line_number = line_number + 1
  end
  if tonumber(options.rate) > 0 then
    interval, delay = of / tonumber(options.rate), wait_until_due
  end
  position, sent, late, other, exhausted, line_of, sent_at = 0, 0, 0, 0, 0, {}, {}
  -- How many answers of a status took so many tenths of a millisecond; both in one number, for wrk copies no nested table.
  answers = {}
  -- wrk asks the first thread once before it begins, and does not send that.
  unasked = number == 0
end

function wait_until_due()
  local now = clock()
  due = due or now
  local wait = due - now
  due = due + interval
  return wait > 0 and math.floor(wait * 1000 + 0.5) or 0
end

local function next_line()
  if first_retry <= last_retry then
    local line = retries[first_retry]
    retries[first_retry] = nil
    first_retry = first_retry + 1
    return line
  end
  position = position + 1
  if again and position > #heads then
    position = 1
  end
  return heads[position] and position
end

function request()
  if unasked then
    unasked = false
    return nothing
  end
  local line = next_line()
  if line == nil then
    exhausted = 1
    return nothing
  end
  sent = sent + 1
  line_of[sent], sent_at[sent] = line, clock()
  local key = keyed and ("Idempotency-Key: " .. number .. "-" .. sent .. "\r\n") or ""
  return heads[line] .. key .. "X-Correlation-Id: " .. sent .. "\r\n\r\n" .. bodies[line]
end

function response(status, headers)
  local id = tonumber(headers["x-correlation-id"] or headers["X-Correlation-Id"])
  local line = id and line_of[id]
  if line == nil then
    other = other + (status == 200 and 0 or 1)
    return
  end
  local seconds = clock() - sent_at[id]
  line_of[id], sent_at[id] = nil, nil
  if seconds > patience then
    late = late + 1
  end
  local kind = status * kinds + math.ceil(seconds * 10000)
  answers[kind] = (answers[kind] or 0) + 1
  if status == 503 and refused == "retry" then
    last_retry = last_retry + 1
    retries[last_retry] = line
  end
end

local function sum(name)
  local total = 0
  for _, thread in ipairs(threads) do
    total = total + thread:get(name)
  end
  return total
end

-- Requests without an answer for longer than that; younger ones were under way when the time was over.
local function stale(now)
  local total = 0
  for _, thread in ipairs(threads) do
    for _, at in pairs(thread:get("sent_at")) do
      total = total + (now - at > patience and 1 or 0)
    end
  end
  return total
end

function done(summary)
  local errors, rows = summary.errors, {}
  for _, thread in ipairs(threads) do
    for kind, times in pairs(thread:get("answers")) do
      rows[#rows + 1] = string.format("[%d,%.1f,%d]", math.floor(kind / kinds), kind % kinds / 10, times)
    end
  end
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('{"answers":[%s],"unidentified":%d,"unanswered":%d,"exhausted":%d,"sent":%d,"seconds":%.3f}\n',
    table.concat(rows, ","), sum("other"), broken + sum("late") + stale(clock()), sum("exhausted"), sum("sent"),
    summary.duration / 1e6))
end
