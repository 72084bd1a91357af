UPDATE leads SET
    stage = (ARRAY['Reject','Reject','Reject','Reject','Reject','Reject','Reject','Reject','Reject','Reject',
      'Deal','Deal','Deal',NULL,NULL,'Contacted','Contacted','Meeting','Meeting','Negotiation'])[1 + id % 20],
    outcome = CASE WHEN id % 20 < 10 THEN 'lost' WHEN id % 20 < 13 THEN 'won' END,
    outcome_value = CASE WHEN id % 20 BETWEEN 10 AND 12 THEN 1000 + id % 9000 END,
    outcome_at = CASE WHEN id % 20 < 13 THEN created_at + (now() - created_at) * (id % 97) / 97 END,
    staged_at = CASE WHEN id % 20 < 13 THEN created_at + (now() - created_at) * (id % 97) / 97
      WHEN id % 20 > 14 THEN now() - (id % 37) * interval '9 hours' END,
    snoozed_until = CASE WHEN id % 20 > 12 AND id % 43 = 0 THEN now() + (id % 13) * interval '1 day' END,
    attributes = CASE WHEN id % 4 = 0 THEN jsonb_build_object('tables', id % 30, 'branch', 'Branch ' || id % 40)
      ELSE attributes END;
UPDATE sessions s SET started_at = l.created_at, last_activity_at = l.created_at + interval '4 minutes',
    completed_at = CASE WHEN l.id % 5 > 1 THEN l.created_at + interval '4 minutes' END,
    score = l.lead_score, classification = l.lead_classification
  FROM leads l WHERE l.id = s.lead_id;
INSERT INTO activities (lead_id, kind, duration, method, outcome, actor, occurred_at, recorded_at)
  SELECT l.id, (ARRAY['call','call','email','meeting','note','email_open'])[1 + (l.id + n) % 6], 120 + l.id % 900, 'phone',
    (ARRAY['reached','interested','no_answer','reached'])[1 + (l.id + n) % 4], coalesce(l.assigned_to, 'sue@example.com'), w.at, w.at
  FROM leads l, generate_series(1, 4) AS n,
    LATERAL (SELECT l.created_at + (now() - l.created_at) * n / 4.0 - (l.id % 50) * interval '20 minutes' AS at) AS w
  WHERE (l.id % 20 < 13 OR l.id % 20 > 14) AND n <= 2 + l.id % 3 AND w.at > l.created_at
  ORDER BY w.at;
INSERT INTO activities (lead_id, kind, duration, method, outcome, actor, occurred_at, recorded_at)
  SELECT l.id, 'call', 200, 'phone', 'reached', coalesce(l.assigned_to, 'sue@example.com'), w.at, w.at
  FROM leads l, LATERAL (SELECT now() - (l.id % 67) * interval '17 minutes' AS at) AS w
  WHERE l.outcome IS NULL AND l.id % 30 > 0 AND l.id % 20 > 12;
INSERT INTO follow_ups (lead_id, due_at, note, assigned_to, actor, created_at, done_at)
  SELECT l.id, now() + (l.id % 331 - 6) * interval '1 hour', 'Ask about the price list', l.assigned_to,
    coalesce(l.assigned_to, 'sue@example.com'), now() - (l.id % 300) * interval '1 hour', NULL
  FROM leads l WHERE l.outcome IS NULL AND l.id % 30 > 0
  UNION ALL SELECT l.id, l.created_at + interval '2 days', 'Call', l.assigned_to, 'sue@example.com', l.created_at,
    l.created_at + interval '2 days' FROM leads l WHERE l.id % 20 < 13 AND l.id % 3 > 0;
INSERT INTO score_history (lead_id, kind, score, tier, recorded_at)
  SELECT l.id, p.profile, (l.id * p.step * n) % 1000 / 10.0, 'cold', l.created_at + n * interval '3 hours'
  FROM leads l, (VALUES ('core_points', 13), ('crm_rules', 29), ('engagement_weighted', 41)) AS p (profile, step),
    generate_series(1, 2) AS n;
INSERT INTO campaigns (name, routes, created_by, created_at) VALUES ('Spring', false, 'x', now()), ('Autumn', false, 'x', now()) ON CONFLICT DO NOTHING
