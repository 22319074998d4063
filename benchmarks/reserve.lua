-- Reservations for wrk: each line of the file is one request (token, event, seat, seat), sent once by one thread.
local next_thread = 0

function setup(thread)
  thread:set("number", next_thread)
  next_thread = next_thread + 1
  threads = threads or {}
  table.insert(threads, thread)
end

function init(args)
  lines, position, created, other, exhausted = {}, 0, 0, 0, 0
  local count, of = 0, tonumber(args[2])
  for line in io.lines(args[1]) do
    if count % of == number then
      lines[#lines + 1] = line
    end
    count = count + 1
  end
end

function request()
  position = position + 1
  local line = lines[position]
  if line == nil then
    exhausted = 1
    return wrk.format("GET", "/healthz")
  end
  local token, event, first, second = line:match("(%S+) (%S+) (%S+) (%S+)")
  return wrk.format("POST", "/api/v1/bookings",
    { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" },
    '{"eventId":"' .. event .. '","seatIds":["' .. first .. '","' .. second .. '"]}')
end

function response(status)
  if status == 201 then created = created + 1 elseif position <= #lines then other = other + 1 end
end

function done(summary, latency)
  local created, other, exhausted = 0, 0, 0
  for _, thread in ipairs(threads) do
    created = created + thread:get("created")
    other = other + thread:get("other")
    exhausted = exhausted + thread:get("exhausted")
  end
  local errors = summary.errors
  io.write(string.format(
    '{"created":%d,"other":%d,"exhausted":%d,"socket_errors":%d,"seconds":%.3f,"p50_ms":%.1f,"p95_ms":%.1f,"p99_ms":%.1f}\n',
    created, other, exhausted, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
