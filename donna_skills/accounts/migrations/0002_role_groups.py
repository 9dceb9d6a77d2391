"""The five roles as groups, each with what the role may do on a new installation."""

from django.db import migrations

PERMISSIONS = {
    "run_skills": "Can run skills",
    "operate_automations": "Can create, change, pause and run automations",
    "edit_skills": "Can write drafts and edit skills",
    "decide_reviews": "Can approve, reject and override",
    "pause_skills": "Can pause and resume skills",
    "manage_tokens": "Can create, rotate and revoke tokens",
    "manage_settings": "Can change channels and other settings",
    "break_glass": "Can override a rule in an emergency",
    "view_audit": "Can read the audit log",
}
GROUPS = {
    "viewer": [],
    "operator": ["run_skills", "operate_automations", "pause_skills"],
    "author": ["run_skills", "edit_skills"],
    "reviewer": ["run_skills", "decide_reviews", "pause_skills", "view_audit"],
    "admin": list(PERMISSIONS),
}


def make_groups(apps, schema_editor):
    # Django makes permissions only after all migrations have run, so they are made here; it keeps those it finds.
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="accounts", model="user"
    )
    permission_model = apps.get_model("auth", "Permission")
    stored = {
        codename: permission_model.objects.get_or_create(
            content_type=content_type, codename=codename, defaults={"name": name}
        )[0]
        for codename, name in PERMISSIONS.items()
    }
    for name, codenames in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*[stored[codename] for codename in codenames])


def drop_groups(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=GROUPS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_people_and_tokens"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_groups, drop_groups)]
