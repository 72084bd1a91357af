CREATE TEMPORARY TABLE IF NOT EXISTS model AS
  SELECT s.id AS session_id, s.lead_id FROM sessions s WHERE s.completed_at IS NOT NULL LIMIT 1;
INSERT INTO leads (session_id, name, email, features_interested, attributes, lead_score,
    lead_classification, source, created_at, updated_at, last_activity_at)
  SELECT 'fill_' || n, 'Lead ' || n, 'lead' || n || '@example.com', l.features_interested,
    l.attributes, l.lead_score, l.lead_classification, l.source,
    l.created_at - n * interval '1 second', l.updated_at, l.last_activity_at
  FROM generate_series(CAST(:first AS int) + 1, CAST(:last AS int)) AS n, model m
  JOIN leads l ON l.id = m.lead_id;
INSERT INTO sessions (id, public_ref, lead_id, workflow_version, points_version, arms, surface,
    journey, facts, score, classification, next_question_id, started_at, last_activity_at,
    completed_at)
  SELECT f.session_id, f.session_id, f.id, s.workflow_version, s.points_version, s.arms,
    s.surface, s.journey, s.facts, s.score, s.classification, s.next_question_id,
    f.created_at, s.last_activity_at, s.completed_at
  FROM model m JOIN sessions s ON s.id = m.session_id
  JOIN leads f ON f.session_id = ANY (ARRAY(SELECT 'fill_' || n
    FROM generate_series(CAST(:first AS int) + 1, CAST(:last AS int)) AS n));
INSERT INTO events (kind, lead_id, session_id, seq, measured, personal, occurred_at, recorded_at,
    workflow_version, arms)
  SELECT e.kind, f.lead_id, f.id, e.seq, e.measured, e.personal, e.occurred_at, e.recorded_at,
    e.workflow_version, e.arms
  FROM model m JOIN events e ON e.session_id = m.session_id AND e.seq IS NOT NULL
  JOIN sessions f ON f.id = ANY (ARRAY(SELECT 'fill_' || n
    FROM generate_series(CAST(:first AS int) + 1, CAST(:last AS int)) AS n));
INSERT INTO user_behaviors (session_id, behavior_type, subject, generation, behavior_metadata,
    score_impact, event_seq, workflow_version, timestamp)
  SELECT f.id, b.behavior_type, b.subject, b.generation, b.behavior_metadata, b.score_impact,
    b.event_seq, b.workflow_version, b.timestamp
  FROM model m JOIN user_behaviors b ON b.session_id = m.session_id
  JOIN sessions f ON f.id = ANY (ARRAY(SELECT 'fill_' || n
    FROM generate_series(CAST(:first AS int) + 1, CAST(:last AS int)) AS n));
INSERT INTO answers (session_id, question_id, question_text, answer_text, options, typed, skipped,
    revision, time_taken, score_earned, created_at, updated_at)
  SELECT f.id, a.question_id, a.question_text, a.answer_text, a.options, a.typed, a.skipped,
    a.revision, a.time_taken, a.score_earned, a.created_at, a.updated_at
  FROM model m JOIN answers a ON a.session_id = m.session_id
  JOIN sessions f ON f.id = ANY (ARRAY(SELECT 'fill_' || n
    FROM generate_series(CAST(:first AS int) + 1, CAST(:last AS int)) AS n));
