// How an answer says that it is one of the ops API, so that whoever asks notices another service, or a server too different from itself.

/** A header of every answer. */
export const apiHeader = 'pillarbox-api';

/** It changes when a program that was written for the API no longer works with it. */
export const apiVersion = '1';
