/** Words of the panel of notifications, beside those of the shell. */

export const words = {
  which: "Which notifications",
  all: "All",
  unread: (count: number) => `Unread ${count}`,
  job: "Job",
  read: "Mark as read",
};
