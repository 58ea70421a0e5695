// The tutorials, in the order of the README, and what their readers have.

/**
 * `isNamed`: names of their own for those of the page. `writesToFriends`: somebody to write to. `hasAccount`: an account of AWS, as far as
 * the emulator plays one.
 */
type TutorialPage = {
  readonly name: string;
  readonly isNamed?: true;
  readonly writesToFriends?: true;
  readonly hasAccount?: true;
};

export const tutorialPages: readonly TutorialPage[] = [
  { name: 'test-your-mail' },
  { name: 'mail-as-events' },
  { name: 'own-domain', isNamed: true },
  { name: 'send', isNamed: true, writesToFriends: true },
  { name: 'aws', hasAccount: true },
];
