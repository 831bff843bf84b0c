// Which groups somebody was removed from, and when
// `change` is `group_deleted` where the group itself was deleted. What was shared with one user and is no longer: `access_changes`, with
// `effect: "removed"` and a range of `at`.
db.people_history
  .find({ principal_id: "u-tomas", left_group_ids: { $ne: [] } }, { at: 1, by: 1, change: 1, left_group_ids: 1 })
  .sort({ number: -1 })
