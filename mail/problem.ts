// A refusal to understand, as a value: what the parsers of this folder return instead of throwing.

/** Why a text could not be understood: a sentence for people, naming the offending part. */
export type Problem = { readonly problem: string };

/** Makes a Problem from a sentence. */
export function problem(text: string): Problem {
  return { problem: text };
}

/** Says whether a parser's answer is a Problem rather than the parsed thing. */
export function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'problem' in value;
}

/** The message of whatever was thrown. */
export function errorMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
