"""Ways to reach people, a file each behind one small interface (`base`)."""
