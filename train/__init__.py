"""What optimises: photos, the feed-forward trainer."""
