/** Published after every change of users, keys and grants; whoever keeps something of them forgets it. */
export const accessTopic = 'access';
