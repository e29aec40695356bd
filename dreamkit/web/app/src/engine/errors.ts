/** An error that the user can fix; its message is one line. Any other error is a bug. */
export class UserError extends Error {}
