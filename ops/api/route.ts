// A path of an API, and the use case that answers it. A part of the path in capitals stands for any text.
import type { UseCase } from './use-case.ts';

/** `at`: method and path. */
export type Route<Deps> = {
  readonly at: `${'GET' | 'POST' | 'PUT' | 'DELETE'} /${string}`;
  readonly does: UseCase<Deps>;
};
