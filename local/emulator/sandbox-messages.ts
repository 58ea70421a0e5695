// What a sandbox and its host say to each other.

/** What its thread starts with: the bundle's URL, its time, and where compiled code is kept (null: nowhere). */
export type SandboxStart = { readonly file: string; readonly aheadMs: number; readonly cache: string | null };

/** To the sandbox: an event to handle, or another time. */
export type ToSandbox =
  | { readonly kind: 'event'; readonly id: number; readonly event: unknown }
  | { readonly kind: 'clock'; readonly aheadMs: number };

/** From the sandbox: what the handler answered, or what it threw. */
export type FromSandbox =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'threw'; readonly id: number; readonly error: string };
