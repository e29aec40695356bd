/** Something that a user can mend, in one line. Anything else that is thrown is a bug. */
export class Refused extends Error {}
