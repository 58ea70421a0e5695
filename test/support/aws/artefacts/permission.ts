// Whether IAM would allow a request: the statements of a role and of the resource's policy, as far as ours go. An unknown
// condition is an error, never a guess.

export type Statement = {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | number | readonly string[]>>>>;
};

/** One thing somebody wants to do; `context`: condition keys that are there, lower-case. */
export type Act = {
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, string>>;
};

/** Allowed by some statement and denied by none. */
export function isAllowed(statements: readonly Statement[], act: Act): boolean {
  const fitting = statements.filter((statement) => fits(statement, act));
  return fitting.some(({ Effect }) => Effect === 'Allow') && !fitting.some(({ Effect }) => Effect === 'Deny');
}

/** Whether a statement is about this act, and its conditions hold. */
export function fits({ Action, Resource, Condition = {} }: Statement, { action, resource, context }: Act): boolean {
  if (![Action].flat().some((pattern) => matches(pattern, action))) return false;
  if (![Resource].flat().some((pattern) => matches(pattern, resource))) return false;
  return Object.entries(Condition).every(([operator, terms]) =>
    Object.entries(terms).every(([key, wanted]) =>
      [wanted].flat().some((one) => holds(operator, context[key.toLowerCase()], String(one))),
    ),
  );
}

function holds(operator: string, given: string | undefined, wanted: string): boolean {
  switch (operator) {
    case 'Null':
      return (given === undefined) === (wanted === 'true');
    case 'Bool':
      return given === wanted;
    case 'StringLike':
      return given !== undefined && matches(wanted, given);
    case 'NumericLessThan':
      return given !== undefined && Number(given) < Number(wanted);
  }
  throw new Error(`condition ${operator} is not known here`);
}

function matches(pattern: string, text: string): boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(text);
}
