// The mark of a restore that has begun and not ended: a folder with it is not whole, and nothing starts on it.

/** The mark's name in the data folder. */
export const unfinishedRestore = 'restore-unfinished';
