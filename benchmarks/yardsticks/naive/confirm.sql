\set n :n + 1
SELECT slot, booking_id AS bid FROM ordered WHERE n = :n \gset
BEGIN;
INSERT INTO booking.inbox (slot, message_id, booking_id, received_at) VALUES (:slot::smallint, gen_random_uuid(), :bid::uuid, now()) ON CONFLICT DO NOTHING;
SELECT user_id AS u, total AS t, revision AS r FROM booking.bookings WHERE slot = :slot::smallint AND booking_id = :bid::uuid FOR UPDATE \gset
SELECT count(*) AS c FROM booking.claims WHERE slot = :slot::smallint AND booking_id = :bid::uuid AND ended_at IS NULL \gset
UPDATE booking.bookings SET status = 'CONFIRMED', deadline = NULL, confirmed_at = now(), ticket_reference = upper(left(md5(:bid::uuid::text), 28)), confirmed_by = 'pay', revision = :r::integer + 1, sequence = sequence + 1 WHERE slot = :slot::smallint AND booking_id = :bid::uuid;
UPDATE booking.claims SET held_until = NULL WHERE slot = :slot::smallint AND booking_id = :bid::uuid AND ended_at IS NULL;
DELETE FROM booking.holds WHERE user_id = :u::text AND booking_id = :bid::uuid;
INSERT INTO booking.payments (slot, booking_id, payment_id, status, recorded_at, amount, currency, taken_at) VALUES (:slot::smallint, :bid::uuid, 'pay', 'TAKEN', now(), :t::numeric, 'USD', now());
INSERT INTO booking.history (slot, booking_id, number, at, trigger, from_status, to_status, actor, actor_id, correlation_id, payment_id, note) VALUES (:slot::smallint, :bid::uuid, 2, now(), 'PAYMENT_SUCCESS', 'PENDING', 'CONFIRMED', 'PAYMENT_EVENT', 'pay', 'corr', 'pay', '');
INSERT INTO booking.outbox (slot, key, sequence, message_id, event_type, correlation_id, recorded_at, body) VALUES (:slot::smallint, :bid::uuid, 2, gen_random_uuid(), 'booking.confirmed', 'corr', now(), '{"eventId":"00000000-0000-0000-0000-000000000000","eventType":"booking.confirmed","timestamp":"2026-01-01T00:00:00Z","version":"1.0","correlationId":"corr","payload":{"bookingId":"00000000-0000-0000-0000-000000000000","userId":"bench-1","ticketReference":"0123456789ABCDEF0123456789AB","confirmedAt":"2026-01-01T00:00:00Z"}}');
COMMIT;
