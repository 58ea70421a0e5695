// Answers of the DNS as they are handed out: each asker gets a copy, so that none can change what another sees.

/** A copy of an answer. The usual ones, texts and lists of texts, are copied at a fraction of what a clone costs. */
export function copyAnswer(answer: unknown): unknown {
  if (!Array.isArray(answer) || !answer.every(isText)) return structuredClone(answer);
  return answer.map((record) => (typeof record === 'string' ? record : [...record]));
}

function isText(record: unknown): record is string | readonly string[] {
  return typeof record === 'string' || (Array.isArray(record) && record.every((part) => typeof part === 'string'));
}
