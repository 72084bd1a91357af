UPDATE leads SET name = (ARRAY['Lena','Omar','Priya','Jonas','Mei','Carlos','Aisha','Tom','Ines','Ravi'])[1 + id % 10]
      || ' ' || (ARRAY['Keller','Haddad','Sharma','Weber','Chen','Lopez','Khan','Brown','Silva','Patel','Okafor'])[1 + id % 11] || id,
    company = 'Company ' || (id % 5000), email_key = email,
    phone = '+9198' || lpad((id * 7919 % 100000000)::text, 8, '0'),
    phone_e164 = '+9198' || lpad((id * 7919 % 100000000)::text, 8, '0'),
    lead_score = id * 31 % 101,
    lead_classification = CASE WHEN id * 31 % 101 >= 60 THEN 'SQL' WHEN id * 31 % 101 >= 30 THEN 'MQL' ELSE 'Unqualified' END,
    probability = CASE WHEN id % 3 > 0 THEN (id * 17 % 1000) / 1000.0 END,
    utm_source = (ARRAY['google','facebook','newsletter',NULL,'linkedin'])[1 + id % 5],
    source = coalesce((ARRAY['google','facebook','newsletter',NULL,'linkedin'])[1 + id % 5], 'direct'),
    stage = (ARRAY[NULL,'Contacted','Meeting','Negotiation','Deal','Reject'])[1 + id % 6],
    assigned_to = (ARRAY['sam@example.com','sue@example.com','rep3@example.com',NULL])[1 + id % 4],
    campaign = (ARRAY[NULL,'Spring','Autumn',NULL,NULL])[1 + id % 5],
    created_at = now() - (1 - id / (SELECT max(id) + 1.0 FROM leads)) * interval '100 days',
    last_activity_at = now() - (id % 1000) * interval '1 hour';
UPDATE sessions SET utm_source = (ARRAY['google','facebook','newsletter',NULL,'linkedin'])[1 + lead_id % 5],
    utm_campaign = (ARRAY['spring-sale','autumn','brand',NULL])[1 + lead_id % 4],
    arms = jsonb_build_object('greeting', (ARRAY['A','B'])[1 + lead_id % 2]);
UPDATE answers SET options = jsonb_build_array((ARRAY['Retail Store','Restaurant','Pharmacy','Salon'])[1 + id % 4]),
    answer_text = (ARRAY['Retail Store','Restaurant','Pharmacy','Salon'])[1 + id % 4]
  WHERE question_id = 1;
UPDATE answers SET answer_text = (ARRAY['Mumbai','Pune','Bandra West','Lagos','Berlin'])[1 + id % 5] || ' ' || (id % 997)
  WHERE question_id = 2;
INSERT INTO lead_scores (lead_id, profile, score, tier, coverage, armed, crossings, computed_at)
  SELECT l.id, p.profile, (l.id * p.step) % 1000 / 10.0, 'cold', 1, true, 0, now()
  FROM leads l, (VALUES ('core_points', 13), ('crm_rules', 29), ('engagement_weighted', 41)) AS p (profile, step)
  ON CONFLICT DO NOTHING
